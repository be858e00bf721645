#include "vfs.h"

#include <stddef.h>
#include <string.h>

#include "_cgo_export.h"

// The program's SQLite, which go-sqlite3 compiles; weak, for cgo links this package once without it.
extern int sqlite3_config(int, ...) __attribute__((weak));
extern int sqlite3_vfs_register(sqlite3_vfs*, int) __attribute__((weak));

#define CONFIG_MEMSTATUS 9 // SQLITE_CONFIG_MEMSTATUS

typedef struct disk_file {
	sqlite3_file base;
	uintptr_t handle;
	int persist_wal;
} disk_file;

#define HANDLE(f) (((disk_file*)(f))->handle)

static int f_close(sqlite3_file *f) { return diskClose(HANDLE(f)); }
static int f_read(sqlite3_file *f, void *p, int n, sqlite3_int64 at) { return diskRead(HANDLE(f), p, n, at); }
static int f_write(sqlite3_file *f, const void *p, int n, sqlite3_int64 at) { return diskWrite(HANDLE(f), (void*)p, n, at); }
static int f_truncate(sqlite3_file *f, sqlite3_int64 size) { return diskTruncate(HANDLE(f), size); }
static int f_sync(sqlite3_file *f, int flags) { (void)flags; return diskSync(HANDLE(f)); }
static int f_size(sqlite3_file *f, sqlite3_int64 *size) { return diskSize(HANDLE(f), size); }
static int f_lock(sqlite3_file *f, int level) { return diskLock(HANDLE(f), level); }
static int f_unlock(sqlite3_file *f, int level) { return diskUnlock(HANDLE(f), level); }
static int f_reserved(sqlite3_file *f, int *out) { return diskReserved(HANDLE(f), out); }
static int f_sector(sqlite3_file *f) { (void)f; return 512; }
static int f_shm_map(sqlite3_file *f, int region, int size, int extend, void volatile **out) {
	return diskShmMap(HANDLE(f), region, size, extend, (void**)out);
}
static int f_shm_lock(sqlite3_file *f, int at, int n, int flags) { return diskShmLock(HANDLE(f), at, n, flags); }
static void f_shm_barrier(sqlite3_file *f) { (void)f; __sync_synchronize(); }
static int f_shm_unmap(sqlite3_file *f, int remove) { (void)remove; return diskShmUnmap(HANDLE(f)); }

// The unix file system says the same of itself: what stands beside a write is safe from it (SQLITE_IOCAP_POWERSAFE_OVERWRITE).
static int f_characteristics(sqlite3_file *f) { (void)f; return 0x1000; }

static int f_control(sqlite3_file *f, int op, void *arg) {
	disk_file *d = (disk_file*)f;
	if (op != 10) return 12; // SQLITE_FCNTL_PERSIST_WAL; SQLITE_NOTFOUND
	int *value = arg;
	if (*value >= 0) d->persist_wal = *value;
	*value = d->persist_wal;
	return 0;
}

static const sqlite3_io_methods methods = {
	2, f_close, f_read, f_write, f_truncate, f_sync, f_size, f_lock, f_unlock, f_reserved, f_control, f_sector, f_characteristics,
	f_shm_map, f_shm_lock, f_shm_barrier, f_shm_unmap,
};

static int v_open(sqlite3_vfs *v, const char *name, sqlite3_file *f, int flags, int *out) {
	(void)v;
	disk_file *d = (disk_file*)f;
	memset(d, 0, sizeof *d);
	int rc = diskOpen((char*)name, flags, &d->handle);
	if (rc != 0) return rc;
	d->base.pMethods = &methods;
	if (out != NULL) *out = flags;
	return 0;
}
static int v_delete(sqlite3_vfs *v, const char *name, int sync) { (void)v; (void)sync; return diskDelete((char*)name); }
static int v_access(sqlite3_vfs *v, const char *name, int flags, int *out) { (void)v; (void)flags; return diskAccess((char*)name, out); }
static int v_path(sqlite3_vfs *v, const char *name, int n, char *out) {
	(void)v;
	size_t length = strlen(name);
	if ((int)length >= n) return 14; // SQLITE_CANTOPEN
	memcpy(out, name, length + 1);
	return 0;
}
static void *v_dlopen(sqlite3_vfs *v, const char *name) { (void)v; (void)name; return NULL; }
static void v_dlerror(sqlite3_vfs *v, int n, char *out) { (void)v; if (n > 0) out[0] = 0; }
static void (*v_dlsym(sqlite3_vfs *v, void *p, const char *name))(void) { (void)v; (void)p; (void)name; return NULL; }
static void v_dlclose(sqlite3_vfs *v, void *p) { (void)v; (void)p; }
// Salts and names need not be random: a file is read by the SQLite that wrote it.
static int v_random(sqlite3_vfs *v, int n, char *out) { (void)v; for (int i = 0; i < n; i++) out[i] = (char)(i * 73 + 41); return n; }
// Nobody can give back a lock while one sleeps here: the world does one thing at a time.
static int v_sleep(sqlite3_vfs *v, int us) { (void)v; return us; }
static int v_now64(sqlite3_vfs *v, sqlite3_int64 *out) { (void)v; *out = 212000000000000LL; return 0; }
static int v_now(sqlite3_vfs *v, double *out) { (void)v; *out = 2453703.7; return 0; }
static int v_error(sqlite3_vfs *v, int n, char *out) { (void)v; (void)n; (void)out; return 0; }

static sqlite3_vfs disk_vfs = {
	2, sizeof(disk_file), 512, NULL, "disk", NULL, v_open, v_delete, v_access, v_path, v_dlopen, v_dlerror, v_dlsym, v_dlclose,
	v_random, v_sleep, v_now, v_error, v_now64,
};

// Without SQLite's account of its memory, whose one lock all databases share: two histories at a time wait for each other there.
int register_disk(void) {
	int rc = sqlite3_config(CONFIG_MEMSTATUS, 0);
	return rc != 0 ? rc : sqlite3_vfs_register(&disk_vfs, 1);
}
