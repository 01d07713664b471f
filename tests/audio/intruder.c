/* Stands for whoever has taken a decoder over: tries everything, harms nothing, prints what it could do.

   intruder FILE... [@SOCKET...] [%PID...]   one line for each success, and "tried N" at the end
   intruder =threads                         starts threads until it may not, prints how many
   intruder =old                             enters by the 32-bit door, where there is one
   intruder =wait                            does nothing, and stays
   intruder =freeze                          stops whoever started it, where it may, and stays

   A call that only root could make harm with is made with arguments that mean nothing: the kernel's "no such address"
   shows that it would have listened, "not permitted" and "no such call" that it did not. */

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#ifndef SYS_io_uring_setup
#define SYS_io_uring_setup 425
#endif

enum { THREADS = 1000, BAD = -1 };

static int tried;

static int refused(void) { return errno == EPERM || errno == ENOSYS || errno == EACCES; }

/* A call with meaningless arguments: reached, unless it was refused. */
static void call(const char *name, long number) {
    tried++;
    errno = 0;
    if (syscall(number, BAD, BAD, BAD, BAD, BAD, BAD) >= 0 || !refused()) printf("call %s\n", name);
}
#define CALL(name) call(#name, SYS_##name)

static void did(const char *what, const char *which, int result) {
    tried++;
    if (result >= 0) printf("%s %s\n", what, which);
}

/* A file that opens, a folder with something in it. */
static void read_file(const char *path) {
    struct dirent *entry;
    DIR *folder = opendir(path);
    if (folder == NULL) {
        did("read", path, open(path, O_RDONLY | O_NONBLOCK));
        return;
    }
    while ((entry = readdir(folder)) != NULL && entry->d_name[0] == '.') continue;
    did("read", path, entry ? 0 : -1);
    closedir(folder);
}

static void write_file(const char *folder) {
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/intruder-was-here", folder);
    did("write", folder, open(path, O_WRONLY | O_CREAT, 0600));
    unlink(path);
    did("nameless file in", folder, open(folder, O_RDWR | O_TMPFILE, 0600));
    did("folder in", folder, mkdir(path, 0700));
    rmdir(path);
    did("link in", folder, symlink("/", path));
    unlink(path);
}

static void dial_path(const char *path) {
    struct sockaddr_un there = {.sun_family = AF_UNIX};
    strncpy(there.sun_path, path, sizeof there.sun_path - 1);
    int line = socket(AF_UNIX, SOCK_STREAM, 0);
    did("socket unix for", path, line);
    if (connect(line, (struct sockaddr *)&there, sizeof there) == 0 || errno == EPROTOTYPE) did("reach", path, 0);
}

static void other_process(pid_t pid) {
    char name[32], byte;
    snprintf(name, sizeof name, "%d", pid);
    struct iovec here = {&byte, 1}, there = {(void *)&byte, 1};
    did("signal", name, kill(pid, 0));
    did("handle of", name, syscall(SYS_pidfd_open, pid, 0));
    did("trace", name, syscall(SYS_ptrace, 0x4206 /* SEIZE */, pid, 0, 0));
    if (process_vm_readv(pid, &here, 1, &there, 1, 0) >= 0 || errno == EFAULT) did("memory of", name, 0);
}

/* Whoever waits for this program's end has its user, and may run in sight of it. */
static int signal_by_pipe(int signal) {
    int ends[2];
    if (pipe(ends) < 0 || fcntl(ends[0], F_SETOWN, getppid()) < 0 || fcntl(ends[0], F_SETSIG, signal) < 0) return -1;
    return fcntl(ends[0], F_SETFL, O_ASYNC) < 0 ? -1 : write(ends[1], "x", 1);
}

static void parent(void) {
    did("signal", "its parent", syscall(SYS_tgkill, getppid(), getppid(), 0));
    did("signal", "its parent by a pipe", signal_by_pipe(SIGCONT));
    did("lease on", "its input", fcntl(0, F_SETLEASE, F_RDLCK));
}

/* What was handed over: it may be read, and nothing else. */
static void own_input(void) {
    struct stat input;
    fstat(0, &input);
    did("write", "input", write(0, "x", 1));
    did("cut", "input", ftruncate(0, 0));
    did("mode of", "input", fchmod(0, input.st_mode));
    did("owner of", "input", fchown(0, -1, -1));
    did("reopen", "input", open("/proc/self/fd/0", O_RDWR));
    did("map", "input", mmap(NULL, 1, PROT_WRITE, MAP_SHARED, 0, 0) == MAP_FAILED ? -1 : 0);
}

static void network(void) {
    static const int families[] = {AF_INET, AF_INET6, AF_NETLINK, AF_PACKET, AF_VSOCK, AF_ALG, AF_BLUETOOTH};
    static const char *const names[] = {"inet", "inet6", "netlink", "packet", "vsock", "alg", "bluetooth"};
    for (int i = 0; i < 7; i++) {
        did("socket", names[i], socket(families[i], SOCK_RAW, 0));
        did("socket", names[i], socket(families[i], i == 4 ? SOCK_STREAM : SOCK_DGRAM, 0));
    }
    int pair[2];
    did("socket", "pair", socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
}

static int child_of(long flags) {
    int pid = syscall(SYS_clone, flags | SIGCHLD, 0, 0, 0, 0);
    if (pid == 0) _exit(0);
    return pid;
}

static void processes_and_namespaces(void) {
    did("process", "clone", child_of(0));
    did("namespace", "user", child_of(CLONE_NEWUSER));
    did("namespace", "network", child_of(CLONE_NEWNET));
    did("namespace", "unshare", unshare(CLONE_NEWUSER));
    CALL(clone3);
    CALL(setns);
#ifdef SYS_fork
    tried++;
    pid_t pid = syscall(SYS_fork);
    if (pid == 0) _exit(0);
    if (pid > 0) printf("process fork\n");
#endif
}

static void code(void) {
    void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    did("code", "made", mprotect(page, 4096, PROT_READ | PROT_EXEC));
    page = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    did("code", "writable", page == MAP_FAILED ? -1 : 0);
    did("code", "in memory", syscall(SYS_memfd_create, "x", 0));
    did("shell", "sh", access("/bin/sh", X_OK));
    did("shell", "usr", access("/usr/bin/env", X_OK));
}

static void limits(void) {
    struct rlimit most = {RLIM_INFINITY, RLIM_INFINITY};
    for (int i = 0; i < RLIM_NLIMITS; i++) {
        struct rlimit now;
        getrlimit(i, &now);
        if (now.rlim_max != RLIM_INFINITY) did("limit", "raised", setrlimit(i, &most));
    }
    did("pace", "faster", setpriority(PRIO_PROCESS, 0, -5));
    did("user", "root", setuid(0));
    did("group", "root", setgid(0));
}

static void kernel(void) {
    CALL(mount); CALL(umount2); CALL(pivot_root); CALL(chroot); CALL(fsopen); CALL(open_tree); CALL(move_mount);
    CALL(bpf); CALL(perf_event_open); CALL(userfaultfd); CALL(io_uring_setup); CALL(io_setup);
    CALL(keyctl); CALL(add_key); CALL(request_key);
    CALL(init_module); CALL(finit_module); CALL(delete_module); CALL(kexec_load); CALL(reboot);
    CALL(swapon); CALL(acct); CALL(quotactl); CALL(syslog); CALL(open_by_handle_at); CALL(name_to_handle_at);
    CALL(clock_settime); CALL(settimeofday); CALL(clock_adjtime); CALL(sethostname);
    CALL(setsockopt); CALL(bind); CALL(listen); CALL(accept); CALL(sendmsg);
    CALL(shmget); CALL(msgget); CALL(semget); CALL(mq_open); CALL(pidfd_getfd); CALL(process_madvise); CALL(kcmp);
    CALL(fanotify_init); CALL(inotify_init1); CALL(setxattr); CALL(fsetxattr); CALL(utimensat); CALL(mknodat);
    CALL(linkat); CALL(renameat2); CALL(unlinkat); CALL(fallocate); CALL(splice); CALL(vmsplice); CALL(personality);
    CALL(sched_setscheduler); CALL(sched_setaffinity); CALL(ioprio_set); CALL(mlockall); CALL(seccomp); CALL(openat2);
}

static void *wait_for_ever(void *unused) {
    for (;;) sleep(1000);
    return unused;
}

static void threads(void) {
    pthread_attr_t small;
    pthread_t thread;
    int started = 0;
    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, PTHREAD_STACK_MIN);
    while (started < THREADS && pthread_create(&thread, &small, wait_for_ever, NULL) == 0) started++;
    printf("%d\n", started);
}

static void freeze(void) {
    syscall(SYS_tgkill, getppid(), getppid(), SIGSTOP);
    signal_by_pipe(SIGSTOP);
    wait_for_ever(NULL);
}

static void old_door(void) {
#ifdef __x86_64__
    long answer;
    __asm__ volatile("int $0x80" : "=a"(answer) : "a"(20 /* getpid */) : "memory");
    printf("answered %ld\n", answer);
#else
    raise(SIGSYS);
#endif
}

int main(int count, char **arguments) {
    static const char *const files[] = {
        "/etc/passwd", "/etc/shadow", "/etc/hostname", "/etc/machine-id", "/etc/edge-agent", "/var/lib", "/var/log",
        "/home", "/root", "/boot", "/run/edge-agent", "/run/systemd/journal", "/run/dbus", "/sys",
        "/proc/1/environ", "/proc/self/maps", "/proc/sys", "/dev/mem", "/dev/kmsg",
        "/dev/snd", "/dev/snd/controlC0", "/dev/gpiochip0", "/dev/shm", "/dev/fuse", "/dev/net/tun", "/dev/tty",
    };
    static const char *const folders[] = {"/", "/tmp", "/var/tmp", "/run", "/dev/shm", "/etc", "/usr/lib", "/dev", "."};
    if (count == 2 && strcmp(arguments[1], "=threads") == 0) return threads(), fflush(stdout), _exit(0), 0;
    if (count == 2 && strcmp(arguments[1], "=old") == 0) return old_door(), 0;
    if (count == 2 && strcmp(arguments[1], "=wait") == 0) wait_for_ever(NULL);
    if (count == 2 && strcmp(arguments[1], "=freeze") == 0) freeze();
    for (unsigned i = 0; i < sizeof files / sizeof *files; i++) read_file(files[i]);
    for (unsigned i = 0; i < sizeof folders / sizeof *folders; i++) write_file(folders[i]);
    for (int i = 1; i < count; i++) {
        if (arguments[i][0] == '@') dial_path(arguments[i] + 1);
        else if (arguments[i][0] == '%') other_process(atoi(arguments[i] + 1));
        else read_file(arguments[i]);
    }
    dial_path("/run/dbus/system_bus_socket");
    dial_path("/run/systemd/private");
    parent();
    own_input();
    network();
    processes_and_namespaces();
    code();
    limits();
    kernel();
    printf("tried %d\n", tried);
    return 0;
}
