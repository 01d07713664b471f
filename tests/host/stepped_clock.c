/* Loaded before libc: this process's wall clock is stepped by STEP_MS, and its machine has slept for SUSPENDED_MS.

   Both are read from the environment at every look at a clock, so that the process itself can move them. As in the
   kernel, boot time and wall time count sleep, CLOCK_MONOTONIC does not, and a step moves wall time only. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>

static long long from_environment(const char *name) {
    const char *text = getenv(name);
    return text ? atoll(text) : 0;
}

int clock_gettime(clockid_t clock, struct timespec *now) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real) *(void **)&real = dlsym(RTLD_NEXT, "clock_gettime");
    int result = real(clock, now);
    long long ms = 0;
    if (clock == CLOCK_REALTIME || clock == CLOCK_BOOTTIME) ms += from_environment("SUSPENDED_MS");
    if (clock == CLOCK_REALTIME) ms += from_environment("STEP_MS");
    long long ns = now->tv_nsec + ms % 1000 * 1000000LL + 1000000000LL;
    now->tv_sec += ms / 1000 + ns / 1000000000LL - 1;
    now->tv_nsec = ns % 1000000000LL;
    return result;
}

/* Libc answers these two from the kernel's page, past clock_gettime; OpenSSL judges certificates by them. */

int gettimeofday(struct timeval *now, void *zone) {
    (void)zone;
    struct timespec precise;
    int result = clock_gettime(CLOCK_REALTIME, &precise);
    now->tv_sec = precise.tv_sec;
    now->tv_usec = precise.tv_nsec / 1000;
    return result;
}

time_t time(time_t *into) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (into) *into = now.tv_sec;
    return now.tv_sec;
}
