/* Writes small files of every shape that tests/unit/random_snapshot.h knows into a folder: what the fuzz
 * targets start from, beside real dumps. See make-corpus.sh. */
#define _GNU_SOURCE
#include "../../tests/unit/packed.h"
#include "../../tests/unit/random_snapshot.h"

static void save(const char *folder, const char *kind, size_t i, struct packed p)
{
	char path[4096];
	snprintf(path, sizeof path, "%s/%s-%02zu", folder, kind, i);
	FILE *f = fopen(path, "wb");
	if (f == NULL || fwrite(p.bytes, 1, p.size, f) != p.size || fclose(f) != 0) {
		perror(path);
		exit(1);
	}
	free(p.bytes);
}

/* usage: seeds READER-FOLDER ROUNDTRIP-FOLDER */
int main(int argc, char **argv)
{
	if (argc != 3)
		return 2;
	for (size_t i = 0; i < SMALL_SHAPES; i++) {
		struct shape shape = small_shapes[i];
		shape.files = shape.files > 4 ? 4 : shape.files;
		shape.functions = shape.functions > 2 ? 2 : shape.functions;
		shape.frames = shape.frames > 8 ? 8 : shape.frames;
		shape.stacks = shape.stacks > 7 ? 7 : shape.stacks;
		shape.sites = shape.sites > 12 ? 12 : shape.sites;
		shape.depth = shape.depth > 9 ? 9 : shape.depth;
		shape.odd_names = false;
		struct told t = told_random(&shape, 100 + i);
		struct snap_snapshot *s[3] = {
			told_snapshot(&t, t.sites, t.site_count / 2, NULL),
			told_snapshot(&t, t.sites + t.site_count / 3, t.site_count / 2, NULL), NULL};
		for (uint32_t k = 0; k < t.site_count; k += 2)
			t.sites[k].values[0]++;
		s[2] = told_snapshot(&t, t.sites, t.site_count, NULL);
		save(argv[1], "alone", i, packed_new(&s[2], 1, 0, false));
		save(argv[1], "series", i, packed_new(s, 3, i % 4 == 0 ? 3 : 0, true));
		packed_free_all(s, 3);
		told_free(&t);
	}
	/* Programs for the builder: any bytes are one. */
	struct dice d = {1};
	for (size_t i = 0; i < 24; i++) {
		struct packed p = {bag_memory(NULL, 600, 1), 100 + 20 * i};
		for (size_t k = 0; k < p.size; k++)
			p.bytes[k] = (uint8_t)(dice_percent(&d, 50) ? dice_below(&d, 8) : dice_below(&d, 256));
		p.bytes[0] = (uint8_t)(i * 37 + i / 4);
		save(argv[2], "program", i, p);
	}
	return 0;
}
