/* The numbers of schema/snap-format.md. A test compares them with the document. */
#ifndef SNAP_FORMAT_LAYOUT_H
#define SNAP_FORMAT_LAYOUT_H

#include <stdint.h>

#define SNAP_MAGIC "\x89SNP\r\n\x1a\n"
#define SNAP_MAGIC_SIZE 8
#define SNAP_MIN_READER 1

#define SNAP_HEADER_SIZE 20
#define SNAP_SECTION_HEADER_SIZE 24
#define SNAP_END_SIZE 64

#define SNAP_FLAG_CONTINUES (UINT32_C(1) << 0)
#define SNAP_FLAG_CANONICAL (UINT32_C(1) << 1)
#define SNAP_FLAGS_RESERVED UINT32_C(0xFFFC)

#define SNAP_END_MORE (UINT32_C(1) << 0)
#define SNAP_END_RESERVED UINT32_C(0xFFFE)

#define SNAP_CODEC_STORED 0
#define SNAP_CODEC_ZSTD 1

#define SNAP_SECTION_MUST 1u
#define SNAP_SECTION_RESERVED 0x0Eu

#define SNAP_SECTION_RAW_MAX 4194304u
#define SNAP_SECTION_RATIO 32u
#define SNAP_SECTION_STORED_SLACK 1024u
#define SNAP_SECTION_ROWS 65536u

#define SNAP_STRING_SHARED_FACTOR 32u

/* Rows of SITD that a reader takes; rows that a writer makes, of tokens below which, and from how many
 * sites on. */
#define SNAP_FREQUENT_MAX 128u
#define SNAP_FREQUENT_WRITTEN 126u
#define SNAP_FREQUENT_BELOW 16384u
#define SNAP_FREQUENT_SITES 1024u

/* Bits of a NODE token. */
enum { SNAP_NODE_LAST = 1, SNAP_NODE_CHILDREN = 2, SNAP_NODE_STACK = 4, SNAP_NODE_SHIFT = 3 };

/* Tags as they stand in a section header, read as a little-endian number. */
#define SNAP_TAG(a, b, c, d) \
	((uint32_t)(a) | (uint32_t)(b) << 8 | (uint32_t)(c) << 16 | (uint32_t)(d) << 24)

#define SNAP_TAG_META SNAP_TAG('M', 'E', 'T', 'A')
#define SNAP_TAG_COLS SNAP_TAG('C', 'O', 'L', 'S')
#define SNAP_TAG_STKR SNAP_TAG('S', 'T', 'K', 'R')
#define SNAP_TAG_STRP SNAP_TAG('S', 'T', 'R', 'P')
#define SNAP_TAG_STRB SNAP_TAG('S', 'T', 'R', 'B')
#define SNAP_TAG_FRMF SNAP_TAG('F', 'R', 'M', 'F')
#define SNAP_TAG_FRML SNAP_TAG('F', 'R', 'M', 'L')
#define SNAP_TAG_FRMU SNAP_TAG('F', 'R', 'M', 'U')
#define SNAP_TAG_PRSC SNAP_TAG('P', 'R', 'S', 'C')
#define SNAP_TAG_PRSF SNAP_TAG('P', 'R', 'S', 'F')
#define SNAP_TAG_PRST SNAP_TAG('P', 'R', 'S', 'T')
#define SNAP_TAG_ATCH SNAP_TAG('A', 'T', 'C', 'H')
#define SNAP_TAG_NODE SNAP_TAG('N', 'O', 'D', 'E')
#define SNAP_TAG_RDEP SNAP_TAG('R', 'D', 'E', 'P')
#define SNAP_TAG_STKD SNAP_TAG('S', 'T', 'K', 'D')
#define SNAP_TAG_STKX SNAP_TAG('S', 'T', 'K', 'X')
#define SNAP_TAG_CHGI SNAP_TAG('C', 'H', 'G', 'I')
#define SNAP_TAG_CHGV SNAP_TAG('C', 'H', 'G', 'V')
#define SNAP_TAG_SITO SNAP_TAG('S', 'I', 'T', 'O')
#define SNAP_TAG_SITD SNAP_TAG('S', 'I', 'T', 'D')
#define SNAP_TAG_SITT SNAP_TAG('S', 'I', 'T', 'T')
#define SNAP_TAG_DOMS SNAP_TAG('D', 'O', 'M', 'S')
#define SNAP_TAG_VALS SNAP_TAG('V', 'A', 'L', 'S')
#define SNAP_TAG_END SNAP_TAG('E', 'N', 'D', ' ')

#endif
