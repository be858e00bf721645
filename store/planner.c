#include <stddef.h>

#include "planner.h"

// The program's SQLite, which go-sqlite3 compiles; weak, for cgo links this package once without it.
extern int sqlite3_auto_extension(void (*)(void)) __attribute__((weak));
extern int sqlite3_db_config(struct sqlite3*, int, ...) __attribute__((weak));

#define ENABLE_QPSG 1007 // SQLITE_DBCONFIG_ENABLE_QPSG

static int keep_plans(struct sqlite3 *db, char **message, const void *routines) {
	(void)message;
	(void)routines;
	return sqlite3_db_config(db, ENABLE_QPSG, 1, NULL);
}

int keep_plans_everywhere(void) { return sqlite3_auto_extension((void (*)(void))keep_plans); }
