/* schema/store.sql as text; made from it when the library is built. */
#ifndef SNAP_STORE_SCHEMA_H
#define SNAP_STORE_SCHEMA_H

extern const char snap_store_schema[];

#endif
