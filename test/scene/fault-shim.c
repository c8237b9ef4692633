/*
 * Lets chosen system calls of a program fail, kill it or stop it, for chosen paths, and moves its
 * clock: for what no real disk and no real machine does on demand. To be preloaded (LD_PRELOAD); needs
 * 64-bit Linux. faults.ts compiles it and builds the environment:
 *
 * FAULT_RULES  rules, separated by line feeds, each of five fields separated by tabs: CALL, PATTERN,
 *              ACTION, AFTER and TIMES. A call that matches is counted; the first AFTER of them are let
 *              pass, the next TIMES (-1: all) are acted upon.
 *              CALL     one of the names below, or *
 *              PATTERN  of the path, as fnmatch(3) without flags: * crosses slashes. A descriptor has
 *                       the path that /proc/self/fd tells: "socket:[123]" for example
 *              ACTION   log, short (half of what is to be written or read), an error (E and its number),
 *                       kill, kill-within (after half of what is to be written), stop; with "-after",
 *                       an error, kill or stop comes when the call has been made
 * FAULT_LOG    a file; every call that a rule acts upon is appended to it: monotonic time in ns,
 *              process, call, action, result, error number, path, second path; separated by tabs
 * FAULT_CLOCK  a file of two int64 in the machine's byte order: the ns by which the real-time clocks
 *              and the monotonic ones are ahead; it may change at any moment
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

_Static_assert(sizeof(long) == 8, "64-bit only: offsets are passed in one register");

struct rule {
  char call[16], pattern[PATH_MAX], action[24];
  long after, times;
  atomic_long count;
};

/* What is to be done about one call. */
struct act {
  const char *call, *action;
  char path[PATH_MAX], second[PATH_MAX];
  int error;
};

static struct rule rules[64];
static int rule_count, log_file = -1;
static atomic_long *clock_offsets;
static long (*real_syscall)(long, ...);

static long raw(long number, long a, long b, long c, long d, long e, long f) {
  if (real_syscall == NULL) real_syscall = (long (*)(long, ...))dlsym(RTLD_NEXT, "syscall");
  return real_syscall(number, a, b, c, d, e, f);
}
#define RAW(number, ...) RAW_(number, __VA_ARGS__, 0, 0, 0, 0, 0, 0)
#define RAW_(number, a, b, c, d, e, f, ...) \
  raw(number, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))

static void refuse(const char *why) {
  fprintf(stderr, "fault-shim: %s\n", why);
  _exit(99);
}

/* 0: it is none */
static int error_number(const char *action) {
  return *action == 'E' ? atoi(action + 1) : 0;
}

static int is_action(const char *action) {
  static const char *const others[] = {"log",         "short", "kill",      "kill-after",
                                       "kill-within", "stop",  "stop-after"};
  for (size_t i = 0; i < sizeof others / sizeof *others; i += 1)
    if (strcmp(others[i], action) == 0) return 1;
  const char *rest = action + 1 + strspn(action + 1, "0123456789");
  return error_number(action) > 0 && (*rest == 0 || strcmp(rest, "-after") == 0);
}

static int is_call(const char *call) {
  static const char names[] =
    " * open read write truncate sync rename link unlink mkdir close lock chmod chown stat access ";
  char wanted[24];
  snprintf(wanted, sizeof wanted, " %s ", call);
  return strstr(names, wanted) != NULL;
}

__attribute__((constructor)) static void begin(void) {
  const char *text = getenv("FAULT_RULES"), *log = getenv("FAULT_LOG"), *clock = getenv("FAULT_CLOCK");
  char *copy = strdup(text == NULL ? "" : text), *rest = copy, *line;
  while ((line = strsep(&rest, "\n")) != NULL) {
    if (*line == 0) continue;
    if (rule_count == sizeof rules / sizeof *rules) refuse("too many rules");
    struct rule *rule = &rules[rule_count];
    int end = 0;
    int found = sscanf(line, "%15[^\t]\t%4095[^\t]\t%23[^\t]\t%ld\t%ld%n", rule->call, rule->pattern,
                       rule->action, &rule->after, &rule->times, &end);
    if (found != 5 || line[end] != 0 || !is_call(rule->call) || !is_action(rule->action))
      refuse("a rule that cannot be understood");
    rule_count += 1;
  }
  free(copy);
  if (log != NULL) {
    log_file = (int)RAW(SYS_openat, AT_FDCWD, log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (log_file < 0) refuse("the log cannot be opened");
  }
  if (clock != NULL) {
    int file = (int)RAW(SYS_openat, AT_FDCWD, clock, O_RDONLY | O_CLOEXEC, 0);
    void *shared = mmap(NULL, 2 * sizeof(long), PROT_READ, MAP_SHARED, file, 0);
    if (file < 0 || shared == MAP_FAILED) refuse("the clock cannot be opened");
    RAW(SYS_close, file);
    clock_offsets = shared;
  }
}

static void write_log(const struct act *act, const char *result, int error) {
  if (log_file < 0) return;
  struct timespec now = {0, 0};
  RAW(SYS_clock_gettime, CLOCK_MONOTONIC, &now);
  char line[2 * PATH_MAX + 200];
  int length = snprintf(line, sizeof line, "%lld\t%d\t%s\t%s\t%s\t%d\t%s\t%s\n",
                        now.tv_sec * 1000000000LL + now.tv_nsec, getpid(), act->call, act->action, result,
                        error, act->path, act->second);
  RAW(SYS_write, log_file, line, length);
}

static int matches(const struct rule *rule, const struct act *act) {
  if (strcmp(rule->call, "*") != 0 && strcmp(rule->call, act->call) != 0) return 0;
  return fnmatch(rule->pattern, act->path, 0) == 0 ||
         (act->second[0] != 0 && fnmatch(rule->pattern, act->second, 0) == 0);
}

/* The first rule that acts wins; a rule that only logs yields to any other. */
static void choose(struct act *act) {
  act->action = NULL;
  for (int i = 0; i < rule_count; i += 1) {
    struct rule *rule = &rules[i];
    if (!matches(rule, act)) continue;
    long count = atomic_fetch_add(&rule->count, 1);
    if (count < rule->after || (rule->times >= 0 && count >= rule->after + rule->times)) continue;
    if (act->action == NULL || strcmp(act->action, "log") == 0) act->action = rule->action;
  }
  act->error = act->action == NULL ? 0 : error_number(act->action);
}

static int is_ruled(const char *call) {
  for (int i = 0; i < rule_count; i += 1)
    if (rules[i].call[0] == '*' || strcmp(rules[i].call, call) == 0) return 1;
  return 0;
}

static void path_of_descriptor(int fd, char *path) {
  char link[40];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  long length = RAW(SYS_readlinkat, AT_FDCWD, link, path, PATH_MAX - 1);
  path[length < 0 ? 0 : length] = 0;
}

static void absolute(int directory, const char *given, char *path) {
  char base[PATH_MAX] = "";
  if (given == NULL || *given == 0) {
    if (directory >= 0) path_of_descriptor(directory, path);
    return;
  }
  if (*given != '/') {
    if (directory != AT_FDCWD) path_of_descriptor(directory, base);
    else if (RAW(SYS_getcwd, base, sizeof base) < 0) base[0] = 0;
    strncat(base, "/", sizeof base - strlen(base) - 1);
  }
  snprintf(path, PATH_MAX, "%.2047s%.2047s", base, given);
}

static void send_signal(const struct act *act, int signal) {
  write_log(act, "-", 0);
  RAW(SYS_kill, getpid(), signal);
  /* Of a process that is killed, this thread may still run for a moment. */
  while (signal == SIGKILL) RAW(SYS_sched_yield, 0);
}

static int begins(const struct act *act, const char *action) {
  return act->action != NULL && strcmp(act->action, action) == 0;
}

/* @return whether the call is to be made */
static int before(struct act *act) {
  if (begins(act, "kill")) send_signal(act, SIGKILL);
  if (begins(act, "stop")) send_signal(act, SIGSTOP);
  if (act->error == 0 || strchr(act->action, '-') != NULL) return 1;
  /* A descriptor is gone even when close(2) fails. */
  return strcmp(act->call, "close") == 0;
}

static long after(struct act *act, int is_made, long result) {
  int error = errno;
  if (act->error != 0) {
    result = -1;
    error = act->error;
  } else if (!is_made) result = -1;
  if (begins(act, "kill-after") || begins(act, "kill-within")) send_signal(act, SIGKILL);
  if (begins(act, "stop-after")) send_signal(act, SIGSTOP);
  else if (act->action != NULL && strcmp(act->action, "stop") != 0) {
    char text[24];
    snprintf(text, sizeof text, "%ld", result);
    write_log(act, text, result < 0 ? error : 0);
  }
  errno = error;
  return result;
}

static size_t part(const struct act *act, size_t length) {
  return (begins(act, "short") || begins(act, "kill-within")) && length > 1 ? length / 2 : length;
}

#define RULED(name, find, perform)                      \
  if (!is_ruled(name)) return perform;                  \
  struct act ruled = {.call = name}, *act = &ruled;     \
  find;                                                 \
  choose(act);                                          \
  int is_made = before(act);                            \
  return after(act, is_made, is_made ? perform : -1)

#define BY_DESCRIPTOR(name, fd, perform) RULED(name, path_of_descriptor(fd, act->path), perform)
#define BY_PATH(name, at, given, perform) RULED(name, absolute(at, given, act->path), perform)
#define BY_TWO(name, at, given, second_at, given_second, perform) \
  RULED(name, (absolute(at, given, act->path), absolute(second_at, given_second, act->second)), perform)

static int open_at(int at, const char *path, int flags, long mode) {
  BY_PATH("open", at, path, RAW(SYS_openat, at, path, flags, mode));
}
static long mode_of(int flags, va_list list) {
  return (flags & O_CREAT) != 0 || (flags & O_TMPFILE) == O_TMPFILE ? va_arg(list, int) : 0;
}
#define WITH_MODE(call)              \
  va_list list;                      \
  va_start(list, flags);             \
  long mode = mode_of(flags, list);  \
  va_end(list);                      \
  return call
int open(const char *path, int flags, ...) { WITH_MODE(open_at(AT_FDCWD, path, flags, mode)); }
int open64(const char *path, int flags, ...) { WITH_MODE(open_at(AT_FDCWD, path, flags, mode)); }
int openat(int at, const char *path, int flags, ...) { WITH_MODE(open_at(at, path, flags, mode)); }
int openat64(int at, const char *path, int flags, ...) { WITH_MODE(open_at(at, path, flags, mode)); }

/* Where nothing is ruled, `act` is not there: then all of it. */
static const struct act nothing, *const act = &nothing;

ssize_t read(int fd, void *to, size_t n) {
  BY_DESCRIPTOR("read", fd, RAW(SYS_read, fd, to, part(act, n)));
}
ssize_t pread64(int fd, void *to, size_t n, off64_t at) {
  BY_DESCRIPTOR("read", fd, RAW(SYS_pread64, fd, to, part(act, n), at));
}
ssize_t readv(int fd, const struct iovec *to, int n) {
  BY_DESCRIPTOR("read", fd, RAW(SYS_readv, fd, to, n));
}
ssize_t preadv64(int fd, const struct iovec *to, int n, off64_t at) {
  BY_DESCRIPTOR("read", fd, RAW(SYS_preadv, fd, to, n, at, 0));
}
ssize_t write(int fd, const void *from, size_t n) {
  BY_DESCRIPTOR("write", fd, RAW(SYS_write, fd, from, part(act, n)));
}
ssize_t pwrite64(int fd, const void *from, size_t n, off64_t at) {
  BY_DESCRIPTOR("write", fd, RAW(SYS_pwrite64, fd, from, part(act, n), at));
}
ssize_t writev(int fd, const struct iovec *from, int n) {
  BY_DESCRIPTOR("write", fd, RAW(SYS_writev, fd, from, part(act, n)));
}
ssize_t pwritev64(int fd, const struct iovec *from, int n, off64_t at) {
  BY_DESCRIPTOR("write", fd, RAW(SYS_pwritev, fd, from, part(act, n), at, 0));
}
int ftruncate64(int fd, off64_t n) { BY_DESCRIPTOR("truncate", fd, RAW(SYS_ftruncate, fd, n)); }
int fsync(int fd) { BY_DESCRIPTOR("sync", fd, RAW(SYS_fsync, fd)); }
int fdatasync(int fd) { BY_DESCRIPTOR("sync", fd, RAW(SYS_fdatasync, fd)); }
int close(int fd) { BY_DESCRIPTOR("close", fd, RAW(SYS_close, fd)); }
int fchmod(int fd, mode_t mode) { BY_DESCRIPTOR("chmod", fd, RAW(SYS_fchmod, fd, mode)); }
int fchown(int fd, uid_t uid, gid_t gid) { BY_DESCRIPTOR("chown", fd, RAW(SYS_fchown, fd, uid, gid)); }
int rename(const char *from, const char *to) {
  BY_TWO("rename", AT_FDCWD, from, AT_FDCWD, to, RAW(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0));
}
int link(const char *from, const char *to) {
  BY_TWO("link", AT_FDCWD, from, AT_FDCWD, to, RAW(SYS_linkat, AT_FDCWD, from, AT_FDCWD, to, 0));
}
int unlink(const char *path) { BY_PATH("unlink", AT_FDCWD, path, RAW(SYS_unlinkat, AT_FDCWD, path, 0)); }
int mkdir(const char *path, mode_t mode) {
  BY_PATH("mkdir", AT_FDCWD, path, RAW(SYS_mkdirat, AT_FDCWD, path, mode));
}
int access(const char *path, int mode) {
  BY_PATH("access", AT_FDCWD, path, RAW(SYS_faccessat, AT_FDCWD, path, mode));
}

static int lock(int fd, int command, long argument) {
  BY_DESCRIPTOR("lock", fd, RAW(SYS_fcntl, fd, command, argument));
}
static int control(int fd, int command, long argument) {
  int is_lock = command == F_SETLK || command == F_SETLKW || command == F_OFD_SETLK || command == F_OFD_SETLKW;
  return is_lock ? lock(fd, command, argument) : (int)RAW(SYS_fcntl, fd, command, argument);
}
#define WITH_ARGUMENT(call)             \
  va_list list;                         \
  va_start(list, command);              \
  long argument = va_arg(list, long);   \
  va_end(list);                         \
  return call
int fcntl(int fd, int command, ...) { WITH_ARGUMENT(control(fd, command, argument)); }
int fcntl64(int fd, int command, ...) { WITH_ARGUMENT(control(fd, command, argument)); }

/* What a program is given that was compiled without 64-bit offsets in mind, which it has all the same. */
#define ALIAS(name) __attribute__((alias(name)))
ssize_t pread(int fd, void *to, size_t n, off_t at) ALIAS("pread64");
ssize_t preadv(int fd, const struct iovec *to, int n, off_t at) ALIAS("preadv64");
ssize_t pwrite(int fd, const void *from, size_t n, off_t at) ALIAS("pwrite64");
ssize_t pwritev(int fd, const struct iovec *from, int n, off_t at) ALIAS("pwritev64");
int ftruncate(int fd, off_t n) ALIAS("ftruncate64");

/* libuv asks for the state of files and closes them this way. */
static long stat_at(long at, long path, long flags, long mask, long buffer) {
  BY_PATH("stat", (int)at, (const char *)path, RAW(SYS_statx, at, path, flags, mask, buffer));
}
int statx(int at, const char *restrict path, int flags, unsigned mask, struct statx *restrict buffer) {
  return (int)stat_at(at, (long)path, flags, mask, (long)buffer);
}
long syscall(long number, ...) {
  va_list list;
  long given[6];
  va_start(list, number);
  for (int i = 0; i < 6; i += 1) given[i] = va_arg(list, long);
  va_end(list);
  if (number == SYS_close) return close((int)given[0]);
  if (number == SYS_statx) return stat_at(given[0], given[1], given[2], given[3], given[4]);
  return raw(number, given[0], given[1], given[2], given[3], given[4], given[5]);
}

static long offset_of(clockid_t id) {
  if (clock_offsets == NULL) return 0;
  if (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE) return atomic_load(&clock_offsets[0]);
  int is_monotonic = id == CLOCK_MONOTONIC || id == CLOCK_MONOTONIC_COARSE || id == CLOCK_MONOTONIC_RAW ||
                     id == CLOCK_BOOTTIME;
  return is_monotonic ? atomic_load(&clock_offsets[1]) : 0;
}
int clock_gettime(clockid_t id, struct timespec *time) {
  /* The kernel's own way, which is faster, is not worth a search for it. */
  int result = (int)RAW(SYS_clock_gettime, id, time);
  long ahead = offset_of(id);
  if (result != 0 || ahead == 0) return result;
  long ns = time->tv_sec * 1000000000L + time->tv_nsec + ahead;
  time->tv_sec = ns / 1000000000L;
  time->tv_nsec = ns % 1000000000L;
  return 0;
}
int gettimeofday(struct timeval *restrict time, void *restrict zone) {
  struct timespec now;
  (void)zone;
  clock_gettime(CLOCK_REALTIME, &now);
  time->tv_sec = now.tv_sec;
  time->tv_usec = now.tv_nsec / 1000;
  return 0;
}
time_t time(time_t *result) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  if (result != NULL) *result = now.tv_sec;
  return now.tv_sec;
}
