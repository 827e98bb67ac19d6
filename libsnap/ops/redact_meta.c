/* Redaction of metadata; see redact.h of the public headers. */
#include "ops/redact.h"

#include "ops/pattern.h"

static const char *const root_keys[] = {"root.stdlib", "root.site", "root.prefix", "root.cwd"};
enum { ROOT_KEYS = sizeof root_keys / sizeof *root_keys };

/* What a value must look like to stay; where it does not it is hashed. */
enum form {
	FORM_HIDDEN,  /* never stays */
	FORM_NUMBERS, /* "7", "-1.5", "700 10 10" */
	FORM_SWITCH,  /* a number, or true, false, yes, no */
	FORM_TIME,    /* RFC 3339 */
	FORM_PROGRAM, /* "cpython 3.11.7" */
	FORM_WORD,    /* "tracemalloc" */
	FORM_SOURCE,  /* of the time: what the importers say */
	FORM_DAMAGE,  /* "offset 77: …": what stands behind the colon goes */
	FORM_HISTORY, /* "snapcat 0.1.0: …": likewise */
};

static const struct known_key {
	const char *key;
	enum form form;
} known_keys[] = {
	{"time", FORM_TIME},
	{"time_source", FORM_SOURCE},
	{"start_time", FORM_TIME},
	{"pid", FORM_NUMBERS},
	{"ppid", FORM_NUMBERS},
	{"seq", FORM_NUMBERS},
	{"uptime_s", FORM_NUMBERS},
	{"threads", FORM_NUMBERS},
	{"iteration", FORM_NUMBERS},
	{"merged", FORM_NUMBERS},
	{"traceback_limit", FORM_NUMBERS},
	{"rss_bytes", FORM_NUMBERS},
	{"rss_anon_bytes", FORM_NUMBERS},
	{"rss_peak_bytes", FORM_NUMBERS},
	{"pss_bytes", FORM_NUMBERS},
	{"swap_bytes", FORM_NUMBERS},
	{"vms_bytes", FORM_NUMBERS},
	{"cgroup_limit_bytes", FORM_NUMBERS},
	{"traced_bytes", FORM_NUMBERS},
	{"traced_peak_bytes", FORM_NUMBERS},
	{"tracer_bytes", FORM_NUMBERS},
	{"sample_period_bytes", FORM_NUMBERS},
	{"malloc.heap_bytes", FORM_NUMBERS},
	{"malloc.mapped_bytes", FORM_NUMBERS},
	{"malloc.free_bytes", FORM_NUMBERS},
	{"python.blocks", FORM_NUMBERS},
	{"python.arena_bytes", FORM_NUMBERS},
	{"gc_counts", FORM_NUMBERS},
	{"gc_collected", FORM_SWITCH},
	{"estimated", FORM_SWITCH},
	{"runtime", FORM_PROGRAM},
	{"producer", FORM_PROGRAM},
	{"source_format", FORM_WORD},
	{"partial", FORM_DAMAGE},
	{"capture.mode", FORM_WORD},
	{"capture.trigger", FORM_WORD},
	{"capture.fork_generation", FORM_NUMBERS},
	{"capture.dropped", FORM_NUMBERS},
	{"capture.pause_ms", FORM_NUMBERS},
	{"host", FORM_HIDDEN},
	{"program", FORM_HIDDEN},
	{"argv", FORM_HIDDEN},
};

static bool is_numbers(struct snap_text v)
{
	return v.size <= 80 && span(v, DECIMAL " ,.+-eE()[]") == v.size && span(v, " ,.+-eE()[]") < v.size;
}

/* '9' in the form stands for a digit. */
static bool looks_like(struct snap_text v, const char *form)
{
	if (v.size != strlen(form))
		return false;
	for (size_t i = 0; i < v.size; i++)
		if (form[i] == '9' ? v.bytes[i] < '0' || v.bytes[i] > '9' : v.bytes[i] != form[i])
			return false;
	return true;
}

static bool is_time(struct snap_text v)
{
	static const char second[] = "9999-99-99T99:99:99";
	enum { SECOND = sizeof second - 1 };
	if (v.size < SECOND || v.size > 64 || !looks_like((struct snap_text){v.bytes, SECOND}, second))
		return false;
	v = behind(v, SECOND);
	if (begins(v, ".") && span(behind(v, 1), DECIMAL) > 0)
		v = behind(v, 1 + span(behind(v, 1), DECIMAL));
	return equals(v, "Z") || looks_like(v, "+99:99") || looks_like(v, "-99:99");
}

static bool is_word(struct snap_text v)
{
	return v.size > 0 && v.size <= 32 && span(v, LETTERS) > 0 && span(v, LETTERS DECIMAL "_-") == v.size;
}

/* A word, a space and a number or version: "3.13.0rc1". */
static bool is_program(struct snap_text v)
{
	size_t word = 0;
	while (word < v.size && v.bytes[word] != ' ')
		word++;
	if (word == v.size || !is_word((struct snap_text){v.bytes, word}))
		return false;
	struct snap_text version = behind(v, word + 1);
	return version.size <= 24 && span(version, DECIMAL) > 0 && span(version, DECIMAL ".abcr+") == version.size;
}

/* What of a value may stay: all, a beginning, or nothing, which has no bytes. */
static struct snap_text kept_value(enum form form, struct snap_text v)
{
	static const char *const switches[] = {"true", "false", "yes", "no"};
	static const struct snap_text nothing = {NULL, 0};
	const char *colon = v.size > 0 ? memchr(v.bytes, ':', v.size) : NULL;
	struct snap_text head = {v.bytes, colon != NULL ? (size_t)(colon - v.bytes) : v.size};
	switch (form) {
	case FORM_HIDDEN:
		break;
	case FORM_NUMBERS:
		return is_numbers(v) ? v : nothing;
	case FORM_SWITCH:
		return is_numbers(v) || equals_any(v, switches, sizeof switches / sizeof *switches) ? v : nothing;
	case FORM_TIME:
		return is_time(v) ? v : nothing;
	case FORM_PROGRAM:
		return is_program(v) ? v : nothing;
	case FORM_WORD:
		return is_word(v) ? v : nothing;
	case FORM_SOURCE:
		return equals(v, "file modification time") ? v : nothing;
	case FORM_DAMAGE:
		return is_program(head) && begins(head, "offset ") ? head : nothing;
	case FORM_HISTORY:
		return is_program(head) && begins(head, "snap") ? head : nothing;
	}
	return nothing;
}

static bool is_history(struct snap_text key)
{
	static const char prefix[] = "history.";
	if (!begins(key, prefix))
		return false;
	struct snap_text number = behind(key, sizeof prefix - 1);
	return number.size > 0 && number.size <= 10 && span(number, DECIMAL) == number.size && number.bytes[0] != '0';
}

static bool is_known(struct snap_text key, enum form *form)
{
	*form = is_history(key) ? FORM_HISTORY : FORM_HIDDEN;
	for (size_t i = 0; i < sizeof known_keys / sizeof *known_keys; i++)
		if (equals(key, known_keys[i].key)) {
			*form = known_keys[i].form;
			return true;
		}
	return *form == FORM_HISTORY || equals_any(key, root_keys, ROOT_KEYS);
}

static enum snap_status redact_entry(const struct snap_hmac *keyed, struct snap_meta *to, struct snap_text key,
				     struct snap_text value, struct snap_error *err)
{
	char new_key[SNAP_META_KEY_MAX + REDACTED_ROOM], new_value[REDACTED_ROOM];
	/* An older side's entries are hashed like the newer's, behind the prefix. */
	size_t size = begins(key, SNAP_META_OLD) ? strlen(SNAP_META_OLD) : 0;
	memcpy(new_key, key.bytes, size);
	key = behind(key, size);
	enum form form;
	if (is_known(key, &form)) {
		memcpy(new_key + size, key.bytes, key.size);
		size += key.size;
	} else {
		const char *head = begins(key, "label.") ? "label." : KEY_HEAD;
		size += snap_redact_write(keyed, ROLE_KEY, key, head, text_of(""), new_key + size);
	}
	new_key[size] = '\0';

	struct snap_text kept = kept_value(form, value);
	if (kept.bytes == NULL) {
		/* A root has the hash that its files have, and with it presets find them. */
		bool root = equals_any(key, root_keys, ROOT_KEYS);
		kept.bytes = new_value;
		kept.size = snap_redact_write(keyed, root ? ROLE_FOLDER : ROLE_VALUE, root ? snap_pattern_folder(value) : value,
					   root ? FILE_HEAD : VALUE_HEAD, text_of(""), new_value);
	}
	return snap_meta_set(to, new_key, kept.bytes, kept.size, err);
}

enum snap_status snap_redact_meta(const struct snap_hmac *keyed, struct snap_meta *to, const struct snap_meta *from,
				    struct snap_error *err)
{
	enum snap_status status = SNAP_OK;
	for (size_t i = 0; i < snap_meta_count(from) && status == SNAP_OK; i++) {
		struct snap_text value;
		const char *key = snap_meta_at(from, i, &value.bytes, &value.size);
		status = redact_entry(keyed, to, text_of(key), value, err);
	}
	return status;
}
