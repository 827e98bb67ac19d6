/* What snapinfo says of a file, as text or JSON. It is printed when the whole file was read, so that a
 * damaged one leaves nothing that looks good. */
#ifndef CMD_FRONTEND_INFO_H
#define CMD_FRONTEND_INFO_H

#include "members.h"

/* Both read all members, print, and return false when something failed, which is told. */
bool info_text(struct member_reader *members);
bool info_json(struct member_reader *members);

#endif
