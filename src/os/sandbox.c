/* SPDX-License-Identifier: Apache-2.0 */
/* See sandbox.h. Two walls that know nothing of each other: Landlock closes the file system, seccomp the system calls.
 * Either alone keeps a SERVER from files.
 *
 * The list of calls is one of what is allowed, so that calls of future kernels are not. Sanitizers and Valgrind need more than
 * it has; with them only Landlock stands (a build with sanitizers is for tests). */
#include "os/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/landlock.h>
#include <linux/sockios.h>
#include <pwd.h>
#include <sched.h>
#include <seccomp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/xalloc.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define WITH_SANITIZER true
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define WITH_SANITIZER true
#endif
#endif
#ifndef WITH_SANITIZER
#define WITH_SANITIZER false
#else
#define WITH_SANITIZER_CODE 1
#endif

/* A sanitizer's last look for leaks needs /proc, which is behind the wall. */
#ifdef WITH_SANITIZER_CODE
static bool is_enclosed;
__attribute__((visibility("default"))) int __lsan_is_turned_off(void);
int __lsan_is_turned_off(void)
{
	return is_enclosed;
}
#define REMEMBER_WALLS() (is_enclosed = true)
#else
#define REMEMBER_WALLS() ((void)0)
#endif

/* --- Landlock -------------------------------------------------------------------------------- */

enum {
	READING = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR,
	ALL_OF_ABI_1 = LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_WRITE_FILE | READING |
		       LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE |
		       LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_DIR |
		       LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_SOCK |
		       LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_BLOCK |
		       LANDLOCK_ACCESS_FS_MAKE_SYM,
};

/* Moving between folders, truncating, ioctl on devices: of later versions. */
static uint64_t rights_of_abi(long abi)
{
	uint64_t rights = ALL_OF_ABI_1;

	if (abi >= 2)
		rights |= UINT64_C(1) << 13;
	if (abi >= 3)
		rights |= UINT64_C(1) << 14;
	if (abi >= 5)
		rights |= UINT64_C(1) << 15;
	return rights;
}

static int allow_reading(int ruleset, const char *path)
{
	struct landlock_path_beneath_attr rule = { .allowed_access = READING };
	int fd = open(path, O_PATH | O_CLOEXEC), r;
	struct stat what;

	if (fd < 0)
		return errno == ENOENT ? 0 : -1; /* not every system has each of them */

	if (fstat(fd, &what) == 0 && !S_ISDIR(what.st_mode))
		rule.allowed_access = LANDLOCK_ACCESS_FS_READ_FILE;
	rule.parent_fd = fd;
	r = (int)syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
	close(fd);
	return r;
}

/* resolv.conf is replaced when the network changes, and a rule holds for what is there now: so its folder is allowed. That is
 * one under /run on most systems; where it is /etc itself, all of /etc can be read. */
static int allow_resolv_conf(int ruleset)
{
	_cleanup_(freep) char *path = realpath("/etc/resolv.conf", NULL);
	char *slash = path ? strrchr(path, '/') : NULL;

	if (!slash)
		return allow_reading(ruleset, "/etc");
	*slash = '\0';
	return allow_reading(ruleset, path);
}

static int allow_files_of_clients(int ruleset)
{
	static const char *const files[] = { "/usr", "/lib", "/lib64", "/etc/hosts", "/etc/host.conf", "/etc/nsswitch.conf",
					     "/etc/gai.conf", "/etc/services", "/etc/ld.so.cache", "/etc/localtime",
					     "/etc/ssl", "/etc/ca-certificates", "/etc/pki" };

	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		if (allow_reading(ruleset, files[i]) < 0)
			return -1;
	return allow_resolv_conf(ruleset);
}

static int restrict_files(int ruleset, enum os_sandbox kind)
{
	if (kind == OS_SANDBOX_CLIENT && allow_files_of_clients(ruleset) < 0)
		return -1;

	return (int)syscall(SYS_landlock_restrict_self, ruleset, 0);
}

static int close_files(enum os_sandbox kind, bool *ret_stands, struct fault *fault)
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
	struct landlock_ruleset_attr attr = { .handled_access_fs = rights_of_abi(abi) };
	int ruleset, r;

	if (abi < 1)
		return 0;

	ruleset = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr), 0);
	if (ruleset < 0)
		return fault_local(fault, "cannot close the file system to this process: %s", strerror(errno));
	r = restrict_files(ruleset, kind);
	if (r < 0)
		fault_local(fault, "cannot close the file system to this process: %s", strerror(errno));
	close(ruleset);
	*ret_stands = r == 0;
	return r;
}

/* --- seccomp --------------------------------------------------------------------------------- */

#define CALL(name) SCMP_SYS(name)

/* Memory, threads, clocks, waiting, sockets that are open. */
static const int calls_of_all[] = {
	CALL(read), CALL(write), CALL(readv), CALL(writev), CALL(close), CALL(fstat), CALL(lseek), CALL(mmap),
	CALL(mprotect), CALL(munmap), CALL(mremap), CALL(madvise), CALL(brk), CALL(rt_sigaction), CALL(rt_sigprocmask),
	CALL(rt_sigreturn), CALL(sigaltstack), CALL(poll), CALL(ppoll), CALL(epoll_create1), CALL(epoll_ctl),
	CALL(epoll_wait), CALL(epoll_pwait), CALL(epoll_pwait2), CALL(eventfd2), CALL(pipe2), CALL(dup), CALL(fcntl),
	CALL(futex), CALL(set_robust_list), CALL(rseq), CALL(sched_yield),
	CALL(sched_getaffinity), CALL(membarrier), CALL(getpid), CALL(gettid), CALL(getuid), CALL(geteuid),
	CALL(getgid), CALL(getegid), CALL(getrandom), CALL(clock_gettime), CALL(clock_nanosleep), CALL(nanosleep),
	CALL(gettimeofday), CALL(time), CALL(restart_syscall), CALL(pause), CALL(exit), CALL(exit_group), CALL(getrlimit),
	CALL(getrusage), CALL(sysinfo), CALL(uname), CALL(accept4), CALL(accept), CALL(recvfrom),
	CALL(recvmsg), CALL(recvmmsg), CALL(sendto), CALL(sendmsg), CALL(sendmmsg), CALL(shutdown), CALL(getsockname),
	CALL(getpeername), CALL(getsockopt), CALL(setsockopt),
};

static const int calls_of_clients[] = {
	CALL(connect), CALL(bind), CALL(open), CALL(openat), CALL(access), CALL(faccessat), CALL(faccessat2),
	CALL(stat), CALL(lstat), CALL(newfstatat), CALL(statx), CALL(readlink), CALL(readlinkat), CALL(getdents64),
	CALL(pread64), CALL(statfs), CALL(fstatfs), CALL(getcwd),
};

/* Calls that are harmless with some arguments only. `equal`: that argument is this; else all bits of it are set. */
struct special {
	int call;
	unsigned argument;
	bool equal;
	uint64_t value;
};

static int allow_special(scmp_filter_ctx filter, const struct special *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct scmp_arg_cmp compare = { p[i].argument, p[i].equal ? SCMP_CMP_EQ : SCMP_CMP_MASKED_EQ, p[i].value,
						p[i].value };
		int r = p[i].call < 0 ? 0 : seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, p[i].call, 1, &compare);

		if (r < 0)
			return r;
	}
	return 0;
}

/* Signals and limits for oneself; threads, but no processes; of devices' calls those that sockets and streams need. */
static int allow_specials(scmp_filter_ctx filter)
{
	const struct special specials[] = {
		{ CALL(tgkill), 0, true, (uint64_t)getpid() },
		{ CALL(prlimit64), 0, true, 0 },
		{ CALL(clone), 0, false, CLONE_THREAD },
		{ CALL(prctl), 0, true, PR_SET_NAME },
		{ CALL(ioctl), 1, true, FIONBIO },
		{ CALL(ioctl), 1, true, FIOCLEX },
		{ CALL(ioctl), 1, true, FIONREAD },
		{ CALL(ioctl), 1, true, SIOCOUTQ },
		{ CALL(ioctl), 1, true, TCGETS },
	};
	int r = allow_special(filter, specials, ARRAY_SIZE(specials));

	/* Its flags are in memory, where nothing can look: the C library then takes clone. */
	return r < 0 ? r : seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), CALL(clone3), 0);
}

/* IP, and asking the kernel which addresses this machine has. */
static int allow_sockets(scmp_filter_ctx filter)
{
	const struct special sockets[] = {
		{ CALL(socket), 0, true, AF_INET },
		{ CALL(socket), 0, true, AF_INET6 },
		{ CALL(socket), 0, true, AF_NETLINK },
	};

	return allow_special(filter, sockets, ARRAY_SIZE(sockets));
}

static int allow(scmp_filter_ctx filter, const int *calls, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		/* A call that this machine does not have has a negative number. */
		int r = calls[i] < 0 ? 0 : seccomp_rule_add(filter, SCMP_ACT_ALLOW, calls[i], 0);

		if (r < 0)
			return r;
	}
	return 0;
}

static int fill(scmp_filter_ctx filter, enum os_sandbox kind)
{
	int r = allow(filter, calls_of_all, ARRAY_SIZE(calls_of_all));

	if (r == 0)
		r = allow_specials(filter);
	if (r == 0 && kind == OS_SANDBOX_CLIENT)
		r = allow(filter, calls_of_clients, ARRAY_SIZE(calls_of_clients));
	if (r == 0 && kind == OS_SANDBOX_CLIENT)
		r = allow_sockets(filter);
	return r;
}

static int close_calls(enum os_sandbox kind, bool *ret_stands, struct fault *fault)
{
	scmp_filter_ctx filter;
	int r;

	if (WITH_SANITIZER || prctl(PR_GET_SECCOMP, 0, 0, 0, 0) < 0)
		return 0;

	filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	r = filter ? fill(filter, kind) : -ENOMEM;
	if (r == 0)
		r = seccomp_load(filter);
	seccomp_release(filter);
	if (r < 0)
		return fault_local(fault, "cannot close system calls to this process: %s", strerror(-r));
	*ret_stands = true;
	return 0;
}

int os_sandbox_enter(enum os_sandbox kind, struct os_walls *ret, struct fault *fault)
{
	*ret = (struct os_walls){ .no_new_privileges = prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 };
	if (!ret->no_new_privileges)
		return 0; /* neither of the others would be let through */

	REMEMBER_WALLS();
	if (close_files(kind, &ret->landlock, fault) < 0)
		return -1;
	return close_calls(kind, &ret->seccomp, fault);
}

/* --- users ----------------------------------------------------------------------------------- */

bool os_is_root(void)
{
	return geteuid() == 0;
}

int os_become(const char *user, struct fault *fault)
{
	const struct passwd *entry;

	errno = 0;
	entry = getpwnam(user);
	if (!entry)
		return errno ? fault_local(fault, "cannot look up the user %s: %s", user, strerror(errno))
			     : fault_usage(fault, "there is no user %s on this machine", user);
	if (initgroups(user, entry->pw_gid) < 0 || setgid(entry->pw_gid) < 0 || setuid(entry->pw_uid) < 0)
		return fault_local(fault, "cannot become %s: %s", user, strerror(errno));
	if (entry->pw_uid != 0 && setuid(0) == 0)
		return fault_local(fault, "this process became %s, and could become root again", user);
	return 0;
}

int os_give_folder(const char *path, const char *user, struct fault *fault)
{
	const struct passwd *entry;

	if (!os_is_root())
		return 0;
	errno = 0;
	entry = getpwnam(user);
	if (!entry)
		return errno ? fault_local(fault, "cannot look up the user %s: %s", user, strerror(errno))
			     : fault_usage(fault, "there is no user %s on this machine", user);
	/* Not through a link that somebody put there. */
	if (fchownat(AT_FDCWD, path, entry->pw_uid, entry->pw_gid, AT_SYMLINK_NOFOLLOW) < 0)
		return fault_local(fault, "cannot give %s to %s: %s", path, user, strerror(errno));
	return 0;
}

int os_let_pass(const char *path, struct fault *fault)
{
	struct stat st;

	if (!os_is_root())
		return 0;
	if (stat(path, &st) < 0 || chmod(path, (st.st_mode & 07777) | S_IXGRP | S_IXOTH) < 0)
		return fault_local(fault, "cannot let others pass through %s: %s", path, strerror(errno));
	return 0;
}
