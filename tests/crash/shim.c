/* Stands between a process and the kernel: counts each change to the files under one folder and each message on one
 * socket, writes down what was changed, and ends the process, or lets the call fail, at the one that it was told.
 *
 * Loaded with LD_PRELOAD and asleep until crash_arm(). Nothing else of the process is touched. Mapped files (SQLite's
 * -shm) are left out: their content is rebuilt by whoever opens them first. Python's shim.py reads what is written here.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { FDS = 1024, PATH = 512 };
enum op { OPEN = 1, WRITE, TRUNCATE, SYNC, SYNC_FOLDER, RENAME, UNLINK, MKDIR, SAY };
#define SECTOR_BYTES 512
enum how { BEFORE = 0, HALF, AFTER, FAIL };

struct entry {
    uint32_t op, number, call_len, path_len, to_len, fresh;
    int64_t file, at;
    uint64_t data_len;
};

struct file {
    int64_t id; /* 0: not ours */
    int folder, append;
    char path[PATH];
};

static struct file files[FDS];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int armed, log_fd = -1, link_fd = -1;
static char root[PATH];
static size_t root_len;
static long target, count, span;
static int target_how, target_error;
static int64_t last_id;

void crash_arm(const char *folder, int to, int line, long number, int how, int error, long errors) {
    strncpy(root, folder, PATH - 1);
    root_len = strlen(root);
    log_fd = to;
    link_fd = line;
    target = number;
    target_how = how;
    target_error = error;
    span = errors;
    count = last_id = 0;
    armed = 1;
}

void crash_at_random(long ns) {
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGKILL};
    struct itimerspec in = {.it_value = {ns / 1000000000L, ns % 1000000000L}};
    timer_t timer;
    timer_create(CLOCK_MONOTONIC, &event, &timer);
    timer_settime(timer, 0, &in, 0);
}

static void die(void) {
    syscall(SYS_kill, getpid(), SIGKILL);
    for (;;) pause();
}

static int ours(const char *path) {
    if (!armed || path[0] != '/' || strncmp(path, root, root_len) || (path[root_len] != '/' && path[root_len])) return 0;
    size_t length = strlen(path);
    return length < PATH && !(length > 4 && !strcmp(path + length - 4, "-shm"));
}

static struct file *file_of(int fd) {
    return armed && fd >= 0 && fd < FDS && files[fd].id ? &files[fd] : 0;
}

static void note(enum op op, const char *call, int64_t id, const char *path, const char *to, int fresh, int64_t at,
                 const void *data, uint64_t length) {
    struct entry entry = {op, count, strlen(call), strlen(path), strlen(to), fresh, id, at, length};
    struct iovec parts[] = {{&entry, sizeof entry},
                            {(void *)call, entry.call_len},
                            {(void *)path, entry.path_len},
                            {(void *)to, entry.to_len},
                            {(void *)data, length}};
    syscall(SYS_writev, log_fd, parts, 5);
}

/* The next change: whether it has to fail. Ends the process where that comes before the change. */
static int comes(int takes_room) {
    count++;
    if (target_how == BEFORE && count == target) die();
    if (target_how != FAIL || count < target || count >= target + span) return 0;
    if (target_error == ENOSPC && !takes_room) return 0;
    errno = target_error;
    return 1;
}

/* The change is done and written down. */
static void done(void) {
    if (target_how == AFTER && count == target) die();
}

static int64_t where(int fd, const struct file *file) {
    struct stat stat;
    if (!file->append) return lseek(fd, 0, SEEK_CUR);
    return fstat(fd, &stat) ? 0 : stat.st_size;
}

/* A kernel that kills, and a disk that loses its power, do less than a sector whole or not at all. */
static size_t half_of(int64_t start, size_t length) {
    int64_t end = (start + (int64_t)length / 2) / SECTOR_BYTES * SECTOR_BYTES;
    return end > start ? end - start : 0;
}

static ssize_t change(int fd, struct file *file, const char *call, const void *data, size_t length, int64_t at) {
    pthread_mutex_lock(&lock);
    ssize_t got = -1;
    if (!comes(1)) {
        int halved = target_how == HALF && count == target;
        int64_t start = at < 0 ? where(fd, file) : at;
        if (halved) length = half_of(start, length);
        got = at < 0 ? syscall(SYS_write, fd, data, length) : syscall(SYS_pwrite64, fd, data, length, at);
        if (got >= 0) note(WRITE, call, file->id, file->path, "", 0, start, data, got);
        if (halved) die();
        done();
    }
    pthread_mutex_unlock(&lock);
    return got;
}

ssize_t write(int fd, const void *data, size_t length) {
    struct file *file = file_of(fd);
    if (file) return change(fd, file, "write", data, length, -1);
    if (!armed || fd != link_fd) return syscall(SYS_write, fd, data, length);
    pthread_mutex_lock(&lock);
    comes(0);
    errno = 0;
    ssize_t got = syscall(SYS_write, fd, data, length);
    note(SAY, "say", 0, "", "", 0, 0, 0, 0);
    done();
    pthread_mutex_unlock(&lock);
    return got;
}

ssize_t pwrite(int fd, const void *data, size_t length, off_t at) {
    struct file *file = file_of(fd);
    return file ? change(fd, file, "pwrite", data, length, at) : syscall(SYS_pwrite64, fd, data, length, at);
}
ssize_t pwrite64(int fd, const void *data, size_t length, off64_t at) { return pwrite(fd, data, length, at); }

int ftruncate(int fd, off_t length) {
    struct file *file = file_of(fd);
    if (!file) return syscall(SYS_ftruncate, fd, length);
    pthread_mutex_lock(&lock);
    int got = -1;
    if (!comes(0)) {
        got = syscall(SYS_ftruncate, fd, length);
        if (!got) note(TRUNCATE, "ftruncate", file->id, file->path, "", 0, length, 0, 0);
        done();
    }
    pthread_mutex_unlock(&lock);
    return got;
}
int ftruncate64(int fd, off64_t length) { return ftruncate(fd, length); }

static int sync_with(int fd, long number, const char *call) {
    struct file *file = file_of(fd);
    if (!file) return syscall(number, fd);
    pthread_mutex_lock(&lock);
    int got = -1;
    if (!comes(0)) {
        got = syscall(number, fd);
        if (!got) note(file->folder ? SYNC_FOLDER : SYNC, call, file->id, file->path, "", 0, 0, 0, 0);
        done();
    }
    pthread_mutex_unlock(&lock);
    return got;
}
int fsync(int fd) { return sync_with(fd, SYS_fsync, "fsync"); }
int fdatasync(int fd) { return sync_with(fd, SYS_fdatasync, "fdatasync"); }

/* A change of names: rename, unlink, mkdir. */
static int named(enum op op, const char *call, const char *path, const char *to, long mode) {
    pthread_mutex_lock(&lock);
    int got = -1;
    if (!comes(op == MKDIR)) {
        if (op == RENAME) got = syscall(SYS_renameat2, AT_FDCWD, path, AT_FDCWD, to, 0);
        if (op == UNLINK) got = syscall(SYS_unlinkat, AT_FDCWD, path, (int)mode);
        if (op == MKDIR) got = syscall(SYS_mkdirat, AT_FDCWD, path, (mode_t)mode);
        if (!got) note(op, call, 0, path, to, 0, 0, 0, 0);
        done();
    }
    pthread_mutex_unlock(&lock);
    return got;
}

int rename(const char *path, const char *to) {
    if (ours(path) || ours(to)) return named(RENAME, "rename", path, to, 0);
    return syscall(SYS_renameat2, AT_FDCWD, path, AT_FDCWD, to, 0);
}
int unlinkat(int dir, const char *path, int flags) {
    return ours(path) ? named(UNLINK, "unlink", path, "", flags) : syscall(SYS_unlinkat, dir, path, flags);
}
int unlink(const char *path) { return unlinkat(AT_FDCWD, path, 0); }
int rmdir(const char *path) { return unlinkat(AT_FDCWD, path, AT_REMOVEDIR); }
int mkdir(const char *path, mode_t mode) {
    struct stat stat;
    if (!ours(path) || !lstat(path, &stat)) return syscall(SYS_mkdirat, AT_FDCWD, path, mode);
    return named(MKDIR, "mkdir", path, "", mode);
}

/* Opening counts where it changes something: a file that comes to be, or is emptied. */
static int open_at(int dir, const char *path, int flags, mode_t mode) {
    struct stat stat;
    if (!ours(path)) return syscall(SYS_openat, dir, path, flags, mode);
    pthread_mutex_lock(&lock);
    int nameless = (flags & O_TMPFILE) == O_TMPFILE;
    int fresh = nameless || ((flags & O_CREAT) && lstat(path, &stat));
    int changes = fresh || (flags & O_TRUNC);
    int got = -1;
    if (!changes || !comes(1)) {
        got = syscall(SYS_openat, dir, path, flags, mode);
        if (got >= 0 && got < FDS) {
            struct file *file = &files[got];
            int folder = !fstat(got, &stat) && S_ISDIR(stat.st_mode);
            *file = (struct file){++last_id, folder, (flags & O_APPEND) != 0, ""};
            strncpy(file->path, path, PATH - 1);
            note(OPEN, "open", file->id, path, nameless ? "nameless" : "", changes, (flags & O_TRUNC) != 0, 0, 0);
        }
        if (changes) done();
    }
    pthread_mutex_unlock(&lock);
    return got;
}

#define MODE(flags, last) \
    mode_t mode = 0; \
    if (((flags) & O_CREAT) || ((flags) & O_TMPFILE) == O_TMPFILE) { \
        va_list list; \
        va_start(list, last); \
        mode = va_arg(list, mode_t); \
        va_end(list); \
    }

int open(const char *path, int flags, ...) {
    MODE(flags, flags)
    return open_at(AT_FDCWD, path, flags, mode);
}
int open64(const char *path, int flags, ...) {
    MODE(flags, flags)
    return open_at(AT_FDCWD, path, flags, mode);
}
int openat(int dir, const char *path, int flags, ...) {
    MODE(flags, flags)
    return open_at(dir, path, flags, mode);
}
int openat64(int dir, const char *path, int flags, ...) {
    MODE(flags, flags)
    return open_at(dir, path, flags, mode);
}
int __open_2(const char *path, int flags) { return open_at(AT_FDCWD, path, flags, 0); }
int __open64_2(const char *path, int flags) { return open_at(AT_FDCWD, path, flags, 0); }

int close(int fd) {
    if (fd >= 0 && fd < FDS) files[fd].id = 0;
    return syscall(SYS_close, fd);
}
