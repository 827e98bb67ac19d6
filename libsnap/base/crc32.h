/* CRC-32 as in gzip and PNG. */
#ifndef SNAP_BASE_CRC32_H
#define SNAP_BASE_CRC32_H
#include <stddef.h>
#include <stdint.h>
#include <zlib.h>
static inline uint32_t snap_crc32(const void *bytes, size_t size)
{
	return (uint32_t)crc32_z(0, bytes, size);
}
#endif
