/* The limits that hold where the caller names none. */
#include <snap/limits.h>

struct snap_limits snap_limits_default(void)
{
	return (struct snap_limits){.memory = UINT64_C(16) << 30};
}
