/* base/sha256.h against the vectors of NIST and RFC 4231, and against what Python's hashlib and hmac make. */
#define _GNU_SOURCE
#include "base/sha256.h"

#include "test.h"

static const char *hex(const uint8_t digest[SNAP_SHA256_SIZE])
{
	static char text[2 * SNAP_SHA256_SIZE + 1];
	for (size_t i = 0; i < SNAP_SHA256_SIZE; i++)
		snprintf(text + 2 * i, 3, "%02x", digest[i]);
	return text;
}

/* Added in pieces of `step` bytes, 0 = at once. */
static void check_digest(const void *bytes, size_t size, size_t step, const char *wanted)
{
	uint8_t digest[SNAP_SHA256_SIZE];
	struct snap_sha256 h;
	snap_sha256_start(&h);
	if (step == 0)
		step = size;
	for (size_t at = 0; at < size; at += step)
		snap_sha256_add(&h, (const char *)bytes + at, size - at < step ? size - at : step);
	snap_sha256_finish(&h, digest);
	CHECK_STR(hex(digest), wanted);
}

static void check_hmac(const void *key, size_t key_size, const void *bytes, size_t size, const char *wanted)
{
	uint8_t code[SNAP_SHA256_SIZE];
	struct snap_hmac started, h;
	snap_hmac_start(&started, key, key_size);
	/* A copy is as good as the first, and leaves it as it was. */
	for (unsigned times = 0; times < 2; times++) {
		h = started;
		snap_hmac_add(&h, bytes, size / 2);
		snap_hmac_add(&h, (const char *)bytes + size / 2, size - size / 2);
		snap_hmac_finish(&h, code);
		if (strlen(wanted) < 2 * SNAP_SHA256_SIZE)
			CHECK(strncmp(hex(code), wanted, strlen(wanted)) == 0);
		else
			CHECK_STR(hex(code), wanted);
	}
}

static void fill(uint8_t *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++)
		bytes[i] = (uint8_t)(i * 7 % 251);
}

/* The examples of FIPS 180-4, and the message without a byte. */
TEST(nist)
{
	static const char two_blocks[] = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
	static const char longer[] = "abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnop"
				     "jklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu";
	check_digest("", 0, 0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	check_digest("abc", 3, 0, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	check_digest(two_blocks, strlen(two_blocks), 0,
		     "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
	check_digest(longer, strlen(longer), 0,
		     "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1");
	char *million = malloc(1000000);
	if (!CHECK(million != NULL))
		return;
	memset(million, 'a', 1000000);
	check_digest(million, 1000000, 0, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
	check_digest(million, 1000000, 997, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
	free(million);
}

/* Byte i is i * 7 % 251. */
static const struct sized {
	size_t size;
	const char *wanted;
} digests[] = {
	{0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
	{1, "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"},
	{2, "2ecd8a6b7d2845546659ad4cf443533cf921b19dc81fa83934e83821b4dfdcb7"},
	{3, "b361d0f9a938a2bb4fbdc9c21dc5a859788041b0040919d8a811c1888184f4df"},
	{31, "2197034814f92b080202a844385a3348b50636db471788080cc382724b8eb8fc"},
	{32, "2dfd602a7a260b7a12905fd2ebd4b9acf49eed561758b9cb89cbccee389ae02d"},
	{33, "e2d7e89e458eeddd8ccf6d1fec1db8ebc6a2e3436fffec5de731ebe0b6b5c889"},
	{54, "89922c5518b494e6b0011a65111161420ea180a3acbe7483cf5b3fff2c4ab1df"},
	{55, "8af594de0e003fdee5c8bb088216c824349b4137070f559574f4a4bddd27b714"},
	{56, "db81bc2bfd43620591df192139062da77d4c376f1888ea3d2190bd07c8d901f9"},
	{57, "4d95ad65f5ec430c9a97ae9243b87d4d6fa0c474288c93cecfbfe9257e711780"},
	{62, "c417f86bf6a4fda80ec263156055a22962e8f6b2799c92932bbe4838991cefd2"},
	{63, "bd535b38bf0d0d1a09d370b7e34b2696cea3767801a45d5611a4aaa6954e8527"},
	{64, "292be91abe8c0909fe3d26575af5755eee74d23816dc68c3ba41765136967654"},
	{65, "ba65aedf7884642499a59ae124894611d986cf429e69f569488048af3a99e25a"},
	{66, "f77566c713ae37a34e6f09235fea42d06bb96d4fb371d7b911c9b85ea5cdf5a7"},
	{118, "d43cccf5f217b532188da86db9e2a27abeb4a99d4e4179216bfda3663984a165"},
	{119, "d367ab298e74477421127b0b448667c37c006c636f5738f081c39388756e5fad"},
	{120, "be7beb9c82089eb08da8fe6eb30c13b9d56869014e228a8c3eb0fdfe832efab2"},
	{121, "46289689c6bc1b365c894aea324bfd77435527db72732f96301f39d1a6ef5a41"},
	{127, "770cba7b80c7615a327db5812ccd3f80895d801b587448fcd0b2c1a10f5c88a3"},
	{128, "cb5311e1d7aa8e11d6af7081f3ffc3e4efa008c7483a1a791fe170bf37546ba7"},
	{129, "b9e17b1020711e1a6f25633f677a750b3d54399773eb191acac2cb8c7c8b2541"},
	{183, "80d481664c0b4ee89e42025af47e879ace26e98c8ac5af40b87ae57c52491a63"},
	{184, "3a2fa7a3a36b855904ebc0219f9e862c8902975bf114373dc6fc83e01ec122fc"},
	{191, "dc4dbad2fb21d478ea68fba2725d7d39022dbfc30f81c1921e7ba2739ff67af4"},
	{192, "110694ebb18999b9c0f241c4153ee2c670623cc3ab5f4d7c98955a1f7a9339b1"},
	{193, "fcfe5260883a2de801bb25deb78b6ad514f9f601c98ba363b6cbb17e82435148"},
	{1000, "59425e4412e296fc74736673ce067027f384203f59c0d2c3e6be7b13347b3ffc"},
	{4095, "43b3faef4f42f75d4a204145cf6515437e34f500723241f78454c2f2a0d17293"},
	{4096, "9141107b6ed1422839ed97f4674de82ae742ec2f8556c3df948da06930f94393"},
	{4097, "cccd1be35d39d5af1686e69fcdcab1831ffbecbd9e95c9205326ebfb16dbe2c1"},
};

TEST(around_the_borders_of_blocks)
{
	uint8_t bytes[4097];
	fill(bytes, sizeof bytes);
	static const size_t steps[] = {0, 1, 3, 55, 63, 64, 65, 128};
	for (size_t i = 0; i < sizeof digests / sizeof *digests; i++)
		for (size_t j = 0; j < sizeof steps / sizeof *steps; j++)
			check_digest(bytes, digests[i].size, steps[j], digests[i].wanted);
}

TEST(rfc_4231)
{
	uint8_t key[131], data[152];
	memset(key, 0x0b, sizeof key);
	check_hmac(key, 20, "Hi There", 8, "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
	check_hmac("Jefe", 4, "what do ya want for nothing?", 28,
		   "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
	memset(key, 0xaa, sizeof key);
	memset(data, 0xdd, 50);
	check_hmac(key, 20, data, 50, "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe");
	for (uint8_t i = 0; i < 25; i++)
		key[i] = (uint8_t)(i + 1);
	memset(data, 0xcd, 50);
	check_hmac(key, 25, data, 50, "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b");
	memset(key, 0x0c, sizeof key);
	check_hmac(key, 20, "Test With Truncation", 20, "a3b6167473100ee06e0c796c2955552b");
	memset(key, 0xaa, sizeof key);
	static const char first[] = "Test Using Larger Than Block-Size Key - Hash Key First";
	check_hmac(key, 131, first, strlen(first), "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
	static const char both[] = "This is a test using a larger than block-size key and a larger than block-size "
				   "data. The key needs to be hashed before being used by the HMAC algorithm.";
	check_hmac(key, 131, both, strlen(both), "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2");
}

/* Of "what is said", under keys whose byte i is i * 7 % 251. */
static const struct sized codes[] = {
	{0, "b87932979906a14d4c7789fa6f7d6d0b2fef7aecd4b3fcea9721f986c291fe01"},
	{1, "b87932979906a14d4c7789fa6f7d6d0b2fef7aecd4b3fcea9721f986c291fe01"},
	{31, "1032922baa3a87e63ee4f47659ec8e2862beb8221bc591c5426a20c737f2a356"},
	{32, "669a559e13243f02664cb3c78318155c4a76a91fa2cb3acfc44d58d31a2faaa4"},
	{33, "c7461ad3a65e77a135328d80d5d8e46ff77853f11c8bee3546cd02b2ac204cc4"},
	{63, "c6298979f3850d47f729a9732d3e991e4bb65c11d4919821a97ca98353b189f3"},
	{64, "df90dd38b7b639d11a10eca3c05e79df691a4f7c76579bf0340167cf089e4bb6"},
	{65, "6b591a38a9d2604eadfef53d66cce8b9e968f37638ec417bc8b81ea446bafe35"},
	{127, "ff23f96dd8a16b2705901eafe20dfdcc1a8c323b9b41d5894a9e6f2266ba5f9d"},
	{128, "2459c78ce994aa8c85ecb0f8494e338eb6e7c274b0c6dcdc4c299ff6d9a00914"},
	{129, "54c44a2fc9c1f4ab109a973dc2a9bf9c43becd14b0a100deb8456b0332603bf1"},
	{200, "0232d3575efbddfea7927a619bed6570a4715898339afc2e5e89c4fa41d7c5f5"},
};

TEST(keys_of_any_size)
{
	uint8_t key[200];
	fill(key, sizeof key);
	for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
		check_hmac(key, codes[i].size, "what is said", 12, codes[i].wanted);
}
