// SPDX-License-Identifier: MIT
/*
 * guest-init - process 1 of the VM that tools/loom-vm boots
 *
 * It is the only program in the initramfs, unless the VM shares no files
 * (loom-vm --no-share).  It talks to loom-vm on the host over
 * one virtio-serial port, so that the kernel's console carries nothing but the
 * kernel's messages:
 *
 *	host                      guest
 *	      <-- HELLO                the kernel runs
 *	SETUP -->                      what to mount, load and run
 *	      <-- STEP, STEP ...       progress, for --verbose
 *	      <-- STARTED              the command runs
 *	STDIN, WINSIZE -->  <-- STDOUT, STDERR
 *	      <-- EXIT                 the command ended
 *
 * or FAILED instead of STARTED, with one line for the user.  After EXIT or
 * FAILED the host ends the VM; nothing here powers it off.
 *
 * A frame is a type, a 32-bit little-endian length and that many bytes.
 * tools/vm/session.py is the other end.
 *
 * Static and without any other program: each process that TCG does not have to
 * start is 10 ms saved.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <net/if.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define FRAME_HEAD	5
#define FRAME_MAX	(4 << 20)	/* of a SETUP; data frames are smaller */
#define DATA_MAX	(32 << 10)	/* what virtio_console sends at once */
#define NODE_TIMEOUT_MS	10000

enum frame_type {
	FRAME_HELLO = 'H',
	FRAME_SETUP = 'C',
	FRAME_STEP = 'P',
	FRAME_FAILED = 'F',
	FRAME_STARTED = 'S',
	FRAME_STDIN = 'I',
	FRAME_STDOUT = 'O',
	FRAME_STDERR = 'E',
	FRAME_WINSIZE = 'W',
	FRAME_BLOCKED = 'T',
	FRAME_EXIT = 'X',
};

/* What the command has for stdin, stdout and stderr. */
enum terminal {
	TERMINAL_NONE,		/* three pipes */
	TERMINAL_OUTPUT,	/* a pipe, and a terminal to write to */
	TERMINAL_FULL,
};

/* What SETUP says, a sequence of "key=value" strings each ended by a NUL. */
struct setup {
	char *modules;		/* directory that becomes /lib/modules, or NULL */
	bool root_is_memory;	/* nothing is shared; all files are in the initramfs */
	char *cwd;
	char *driver;		/* path of loom.ko, or NULL */
	char *driver_options;
	char *done_mark;	/* last line for the kernel log */
	int nodes;		/* of /dev/accel/accel* to wait for */
	enum terminal terminal;
	struct winsize size;
	char **share;		/* directories shared read-write, "TAG PATH" */
	char **env;
	char **arg;
};

/* One end of the command's input or output. */
struct stream {
	int fd;			/* -1 once closed */
	enum frame_type type;
};

static int port = -1;

/* The host ends the VM. */
__attribute__((noreturn))
static void wait_for_end(void)
{
	for (;;)
		pause();
}

/*
 * The port
 */

static void write_all(int fd, const void *data, size_t size)
{
	const char *p = data;

	while (size > 0) {
		ssize_t n = write(fd, p, size);

		if (n < 0) {
			if (errno == EINTR)
				continue;
			wait_for_end();
		}
		p += n;
		size -= n;
	}
}

static void send_frame(enum frame_type type, const void *data, uint32_t size)
{
	static char frame[FRAME_HEAD + DATA_MAX];

	if (size > DATA_MAX)
		size = DATA_MAX;
	frame[0] = type;
	memcpy(frame + 1, &size, sizeof(size));
	memcpy(frame + FRAME_HEAD, data, size);
	write_all(port, frame, FRAME_HEAD + size);
}

static void read_all(int fd, void *data, size_t size)
{
	char *p = data;

	while (size > 0) {
		ssize_t n = read(fd, p, size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			wait_for_end();
		p += n;
		size -= n;
	}
}

/* Receive one frame; the caller frees *data, which has a NUL behind it. */
static enum frame_type receive_frame(char **data, uint32_t *size)
{
	char head[FRAME_HEAD];

	read_all(port, head, sizeof(head));
	memcpy(size, head + 1, sizeof(*size));
	if (*size > FRAME_MAX)
		wait_for_end();
	*data = calloc(1, *size + 1);
	read_all(port, *data, *size);
	return head[0];
}

static void report(enum frame_type type, const char *format, va_list args)
{
	char text[512];

	vsnprintf(text, sizeof(text), format, args);
	send_frame(type, text, strlen(text));
}

__attribute__((format(printf, 1, 2)))
static void step(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	report(FRAME_STEP, format, args);
	va_end(args);
}

__attribute__((format(printf, 1, 2), noreturn))
static void fail(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	/* Without the port there is the kernel's log, and a panic to end. */
	if (port < 0) {
		vdprintf(2, format, args);
		dprintf(2, "\n");
		_exit(1);
	}
	report(FRAME_FAILED, format, args);
	va_end(args);
	wait_for_end();
}

/* The node of the port that loom-vm named "loom.vm". */
static bool find_port(char *path, size_t size)
{
	DIR *dir = opendir("/sys/class/virtio-ports");
	struct dirent *entry;
	bool found = false;

	while (dir && !found && (entry = readdir(dir))) {
		char name[32] = "", file[PATH_MAX];
		FILE *f;

		snprintf(file, sizeof(file), "/sys/class/virtio-ports/%s/name",
			 entry->d_name);
		f = fopen(file, "r");
		if (!f)
			continue;
		found = fgets(name, sizeof(name), f) && !strcmp(name, "loom.vm\n");
		fclose(f);
		snprintf(path, size, "/dev/%s", entry->d_name);
	}
	if (dir)
		closedir(dir);
	return found;
}

static void open_port(void)
{
	char path[PATH_MAX];

	/* The host bounds the time; without the port it cannot be told. */
	while (!find_port(path, sizeof(path)))
		usleep(10000);
	port = open(path, O_RDWR | O_CLOEXEC);
	if (port < 0)
		fail("cannot open %s: %s", path, strerror(errno));
}

static void append(char ***list, char *value)
{
	size_t n = 0;

	while ((*list)[n])
		n++;
	*list = realloc(*list, (n + 2) * sizeof(char *));
	(*list)[n] = value;
	(*list)[n + 1] = NULL;
}

static void parse_size(const char *text, struct winsize *size)
{
	sscanf(text, "%hu %hu", &size->ws_row, &size->ws_col);
}

static void receive_setup(struct setup *setup)
{
	char *data, *entry, *value;
	uint32_t size;

	setup->share = calloc(1, sizeof(char *));
	setup->env = calloc(1, sizeof(char *));
	setup->arg = calloc(1, sizeof(char *));

	if (receive_frame(&data, &size) != FRAME_SETUP)
		fail("the host's first frame is no SETUP: a bug in loom-vm");
	for (entry = data; entry < data + size; entry = value + strlen(value) + 1) {
		value = strchr(entry, '=');
		if (!value)
			fail("'%s' in SETUP: a bug in loom-vm", entry);
		*value++ = '\0';
		if (!strcmp(entry, "modules"))
			setup->modules = value;
		else if (!strcmp(entry, "root"))
			setup->root_is_memory = !strcmp(value, "memory");
		else if (!strcmp(entry, "cwd"))
			setup->cwd = value;
		else if (!strcmp(entry, "driver"))
			setup->driver = value;
		else if (!strcmp(entry, "driver-options"))
			setup->driver_options = value;
		else if (!strcmp(entry, "done-mark"))
			setup->done_mark = value;
		else if (!strcmp(entry, "nodes"))
			setup->nodes = atoi(value);
		else if (!strcmp(entry, "terminal"))
			setup->terminal = !strcmp(value, "full") ? TERMINAL_FULL :
				!strcmp(value, "output") ? TERMINAL_OUTPUT : TERMINAL_NONE;
		else if (!strcmp(entry, "size"))
			parse_size(value, &setup->size);
		else if (!strcmp(entry, "share"))
			append(&setup->share, value);
		else if (!strcmp(entry, "env"))
			append(&setup->env, value);
		else if (!strcmp(entry, "arg"))
			append(&setup->arg, value);
		else
			fail("'%s' in SETUP: a bug in loom-vm", entry);
	}
}

/*
 * The file systems
 */

static void make_dirs(const char *path)
{
	char copy[PATH_MAX];
	char *p;

	snprintf(copy, sizeof(copy), "%s", path);
	for (p = copy + 1; (p = strchr(p, '/')); p++) {
		*p = '\0';
		mkdir(copy, 0755);
		*p = '/';
	}
	mkdir(copy, 0755);
}

static void mount_on(const char *what, const char *where, const char *type,
		     unsigned long flags, const char *options)
{
	make_dirs(where);
	if (mount(what, where, type, flags, options))
		fail("cannot mount %s on %s: %s", what, where, strerror(errno));
}

/* As mount_on(), for what a kernel may have been built without. */
static void try_mount(const char *type, const char *where)
{
	mount(type, where, type, 0, NULL);
}

static void mount_kernel_file_systems(void)
{
	mkdir("/dev", 0755);
	mkdir("/proc", 0555);
	mkdir("/sys", 0555);
	mount("dev", "/dev", "devtmpfs", MS_NOSUID, NULL);
	mount("proc", "/proc", "proc", 0, NULL);
	mount("sys", "/sys", "sysfs", 0, NULL);
}

/*
 * The root is the host's, read-only, below a tmpfs that takes what is written.
 * The options switch off what overlayfs asks more of a lower file system for
 * than 9p has.
 */
static void enter_host_root(void)
{
	static const char * const kernel_dirs[] = { "/dev", "/proc", "/sys" };
	char target[64];
	size_t i;

	mount_on("root", "/lower", "9p", MS_RDONLY,
		 "trans=virtio,version=9p2000.L,msize=512000,cache=loose");
	mount_on("tmpfs", "/rw", "tmpfs", 0, "mode=755");
	mkdir("/rw/upper", 0755);
	mkdir("/rw/work", 0755);
	mount_on("overlay", "/newroot", "overlay", 0,
		 "lowerdir=/lower,upperdir=/rw/upper,workdir=/rw/work,"
		 "index=off,metacopy=off,redirect_dir=off,xino=off");
	for (i = 0; i < sizeof(kernel_dirs) / sizeof(kernel_dirs[0]); i++) {
		snprintf(target, sizeof(target), "/newroot%s", kernel_dirs[i]);
		mkdir(target, 0755);
		if (mount(kernel_dirs[i], target, NULL, MS_MOVE, NULL))
			fail("cannot move %s: %s", kernel_dirs[i], strerror(errno));
	}
	if (chdir("/newroot") || mount(".", "/", NULL, MS_MOVE, NULL) ||
	    chroot(".") || chdir("/"))
		fail("cannot enter the host's root: %s", strerror(errno));
}

/* What programs expect that the initramfs has not. */
static void complete_memory_root(const struct setup *setup)
{
	make_dirs("/tmp");
	make_dirs(setup->cwd);
}

static void link_dev(const char *target, const char *path)
{
	if (symlink(target, path) && errno != EEXIST)
		fail("cannot create %s: %s", path, strerror(errno));
}

/* What an init system adds to a root. */
static void complete_root(void)
{
	mount_on("devpts", "/dev/pts", "devpts", 0, "mode=620,ptmxmode=666,gid=5");
	mount_on("tmpfs", "/dev/shm", "tmpfs", 0, "mode=1777");
	mount_on("tmpfs", "/run", "tmpfs", 0, "mode=755");
	try_mount("debugfs", "/sys/kernel/debug");
	try_mount("tracefs", "/sys/kernel/tracing");
	try_mount("configfs", "/sys/kernel/config");
	link_dev("/proc/self/fd", "/dev/fd");
	link_dev("/proc/self/fd/0", "/dev/stdin");
	link_dev("/proc/self/fd/1", "/dev/stdout");
	link_dev("/proc/self/fd/2", "/dev/stderr");
	sethostname("loom", 4);
}

static void start_loopback(void)
{
	struct ifreq request = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (s >= 0) {
		ioctl(s, SIOCSIFFLAGS, &request);
		close(s);
	}
}

/*
 * Without a cache: the host compiles while the guest runs, and each must see
 * the other's files at once.
 */
static void mount_shares(char **share)
{
	for (; *share; share++) {
		char *path = strchr(*share, ' ');

		*path++ = '\0';
		mount_on(*share, path, "9p", 0,
			 "trans=virtio,version=9p2000.L,msize=512000,cache=none");
	}
}

/*
 * Modules and the driver
 */

static bool load_module(const char *path, const char *options)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	int error = 0;

	if (fd < 0)
		return false;
	if (syscall(SYS_finit_module, fd, options, 0) && errno != EEXIST)
		error = errno;
	close(fd);
	errno = error;
	return !error;
}

/* The initramfs lists its modules in the order to load them in. */
static void load_packed_modules(void)
{
	char line[NAME_MAX + 2];
	FILE *list = fopen("/modules/order", "r");

	if (!list)
		return;
	while (fgets(line, sizeof(line), list)) {
		char path[sizeof("/modules/") + sizeof(line)];

		line[strcspn(line, "\n")] = '\0';
		snprintf(path, sizeof(path), "/modules/%s", line);
		if (!load_module(path, ""))
			fail("cannot load %s: %s", line, strerror(errno));
		unlink(path);
	}
	fclose(list);
}

static bool file_has(const char *dir, const char *name, const char *text)
{
	char path[PATH_MAX], content[64] = "";
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "r");
	if (!f)
		return false;
	if (!fgets(content, sizeof(content), f))
		content[0] = '\0';
	fclose(f);
	return !strncmp(content, text, strlen(text));
}

static void count_cards(int *cards, int *bound)
{
	DIR *dir = opendir("/sys/bus/pci/devices");
	struct dirent *entry;

	*cards = *bound = 0;
	while (dir && (entry = readdir(dir))) {
		char path[PATH_MAX];

		snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s",
			 entry->d_name);
		if (!file_has(path, "vendor", "0x1234") ||
		    !file_has(path, "device", "0x10a1"))
			continue;
		++*cards;
		strncat(path, "/driver", sizeof(path) - strlen(path) - 1);
		if (!access(path, F_OK))
			++*bound;
	}
	if (dir)
		closedir(dir);
}

/* Do for a node what udev's rules do: root and the group "render" may open it. */
static void permit_group(const char *node)
{
	char line[256];
	FILE *f = fopen("/etc/group", "r");
	unsigned int gid;

	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "render:%*[^:]:%u", &gid) == 1 &&
		    !chown(node, 0, gid))
			chmod(node, 0660);
	}
	if (f)
		fclose(f);
}

static void wait_for_nodes(int nodes)
{
	int waited_ms = 0, node = 0;
	int cards, bound;
	char path[32];

	while (node < nodes) {
		snprintf(path, sizeof(path), "/dev/accel/accel%d", node);
		if (!access(path, F_OK)) {
			permit_group(path);
			node++;
		} else if (waited_ms < NODE_TIMEOUT_MS) {
			usleep(10000);
			waited_ms += 10;
		} else {
			count_cards(&cards, &bound);
			fail("%s did not appear in %d s: of %d cards expected, %d are on the PCI bus and %d have a driver bound",
			     path, NODE_TIMEOUT_MS / 1000, nodes, cards, bound);
		}
	}
}

static void load_driver(const struct setup *setup)
{
	if (!setup->driver)
		return;
	if (!load_module(setup->driver, setup->driver_options ?: ""))
		fail("cannot load %s: %s", setup->driver, strerror(errno));
	step("driver loaded");
	wait_for_nodes(setup->nodes);
	if (setup->nodes)
		step("/dev/accel/accel0%s is there", setup->nodes > 1 ? " ..." : "");
}

/*
 * One write is one record, and only one that ends in LF is printed at once.
 * dprintf() would seek, which /dev/kmsg refuses.
 */
static void log_line(const char *text)
{
	int fd = open("/dev/kmsg", O_WRONLY | O_CLOEXEC);
	char line[128];

	if (fd >= 0) {
		snprintf(line, sizeof(line), "%s\n", text);
		write_all(fd, line, strlen(line));
		close(fd);
	}
}

/* Ask the kernel to log what hangs: blocked tasks, then each CPU's stack. */
static void log_blocked_tasks(void)
{
	int fd = open("/proc/sysrq-trigger", O_WRONLY | O_CLOEXEC);

	if (fd >= 0) {
		write_all(fd, "w", 1);
		write_all(fd, "l", 1);
		close(fd);
	}
}

/*
 * The command
 */

struct command {
	pid_t pid;
	enum terminal terminal;
	int stdin_fd;		/* -1 once closed */
	char *pending;		/* input that the command has not taken yet */
	uint32_t pending_size, pending_done;
	struct stream output[2];
};

__attribute__((noreturn))
static void run_command(const struct setup *setup)
{
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	if (chdir(setup->cwd)) {
		dprintf(2, "loom-vm: %s: %s\n", setup->cwd, strerror(errno));
		_exit(125);
	}
	environ = setup->env;
	execvp(setup->arg[0], setup->arg);
	dprintf(2, "loom-vm: %s: %s\n", setup->arg[0], strerror(errno));
	_exit(errno == ENOENT ? 127 : 126);
}

/*
 * The descriptors for the command in theirs[], their other ends in ours[].
 *
 * Pipes, although the command could have the port itself: a second open of a
 * port fails, and programs do open /dev/stderr.
 */
static void open_descriptors(const struct setup *setup, int theirs[3], int ours[3])
{
	int pipes[3][2], master, slave, i;
	struct termios mode;

	for (i = 0; i < 3; i++) {
		if (pipe2(pipes[i], O_CLOEXEC))
			fail("cannot create a pipe: %s", strerror(errno));
		theirs[i] = pipes[i][i > 0];
		ours[i] = pipes[i][i == 0];
	}
	if (setup->terminal == TERMINAL_NONE)
		return;

	if (openpty(&master, &slave, NULL, NULL, &setup->size))
		fail("cannot create a terminal: %s", strerror(errno));
	fcntl(master, F_SETFD, FD_CLOEXEC);
	theirs[1] = theirs[2] = slave;
	ours[1] = master;
	ours[2] = -1;
	if (setup->terminal == TERMINAL_FULL) {
		theirs[0] = slave;
		ours[0] = master;
	} else {
		/* The user's own terminal turns LF into CR LF. */
		tcgetattr(slave, &mode);
		mode.c_oflag &= ~OPOST;
		tcsetattr(slave, TCSANOW, &mode);
	}
}

static void set_nonblocking(int fd)
{
	if (fd >= 0)
		fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
}

static void start_command(struct command *command, const struct setup *setup)
{
	int theirs[3], ours[3], i;

	open_descriptors(setup, theirs, ours);
	command->terminal = setup->terminal;
	command->pid = fork();
	if (command->pid < 0)
		fail("cannot start the command: %s", strerror(errno));
	if (command->pid == 0) {
		setsid();
		if (setup->terminal == TERMINAL_FULL)
			ioctl(theirs[0], TIOCSCTTY, 0);
		for (i = 0; i < 3; i++)
			dup2(theirs[i], i);
		run_command(setup);
	}
	for (i = 0; i < 3; i++) {
		close(theirs[i]);	/* the terminal again and again: harmless */
		set_nonblocking(ours[i]);
	}
	command->stdin_fd = ours[0];
	command->output[0] = (struct stream){ ours[1], FRAME_STDOUT };
	command->output[1] = (struct stream){ ours[2], FRAME_STDERR };
}

static void close_stdin(struct command *command)
{
	/* The end of a terminal's input is a character that the user types. */
	if (command->stdin_fd >= 0 && command->terminal != TERMINAL_FULL)
		close(command->stdin_fd);
	command->stdin_fd = -1;
}

/* Give the command what it takes of the input that waits for it. */
static void feed(struct command *command)
{
	ssize_t n = 0;

	if (command->stdin_fd >= 0 && command->pending_size > command->pending_done)
		n = write(command->stdin_fd, command->pending + command->pending_done,
			  command->pending_size - command->pending_done);
	if (n < 0 && errno == EAGAIN)
		return;
	if (n < 0)
		close_stdin(command);	/* it reads no more */
	else
		command->pending_done += n;
	if (command->stdin_fd < 0 || command->pending_done == command->pending_size) {
		free(command->pending);
		command->pending = NULL;
		command->pending_size = command->pending_done = 0;
	}
}

static void handle_frame(struct command *command)
{
	struct winsize size = { 0 };
	uint32_t length;
	char *data;

	switch (receive_frame(&data, &length)) {
	case FRAME_STDIN:
		if (length) {
			command->pending = data;
			command->pending_size = length;
			feed(command);
			return;
		}
		close_stdin(command);
		break;
	case FRAME_WINSIZE:
		parse_size(data, &size);
		if (command->terminal != TERMINAL_NONE)
			ioctl(command->output[0].fd, TIOCSWINSZ, &size);
		break;
	case FRAME_BLOCKED:
		log_blocked_tasks();
		break;
	default:
		break;
	}
	free(data);
}

/* Pass on what a stream has; false at its end or when it has nothing now. */
static bool drain(struct stream *stream)
{
	static char data[DATA_MAX];
	ssize_t n = -1;

	if (stream->fd >= 0)
		n = read(stream->fd, data, sizeof(data));
	if (n > 0) {
		send_frame(stream->type, data, n);
		return true;
	}
	if (n == 0 || (errno != EAGAIN && errno != EINTR))
		stream->fd = -1;
	return false;
}

/* Collect ended children, orphans included; true once the command is among them. */
static bool reap(struct command *command, int signals, int *status)
{
	struct signalfd_siginfo info;
	bool ended = false;
	pid_t pid;
	int s;

	while (read(signals, &info, sizeof(info)) > 0)
		;
	while ((pid = waitpid(-1, &s, WNOHANG)) > 0) {
		if (pid == command->pid) {
			ended = true;
			*status = s;
		}
	}
	return ended;
}

/* Move data until the command ends; return its wait status. */
static int pump(struct command *command, int signals)
{
	bool ended = false;
	int status = 0, i;

	while (!ended) {
		/* One more frame only when the last one's input was taken. */
		struct pollfd fds[] = {
			{ command->pending ? -1 : port, POLLIN, 0 },
			{ command->pending ? command->stdin_fd : -1, POLLOUT, 0 },
			{ command->output[0].fd, POLLIN, 0 },
			{ command->output[1].fd, POLLIN, 0 },
			{ signals, POLLIN, 0 },
		};

		if (poll(fds, 5, -1) < 0)
			continue;
		if (fds[0].revents & POLLIN)
			handle_frame(command);
		if (fds[1].revents)
			feed(command);
		for (i = 0; i < 2; i++) {
			if (fds[2 + i].revents)
				drain(&command->output[i]);
		}
		if (fds[4].revents)
			ended = reap(command, signals, &status);
	}
	/* What it wrote last.  Its own children may hold the pipes open. */
	for (i = 0; i < 2; i++) {
		while (drain(&command->output[i]))
			;
	}
	return status;
}

static int child_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static uint8_t execute(const struct setup *setup)
{
	struct command command = { 0 };
	int signals = child_signals();
	int status;

	start_command(&command, setup);
	send_frame(FRAME_STARTED, "", 0);
	status = pump(&command, signals);
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

int main(void)
{
	struct setup setup = { 0 };
	uint8_t status;

	mount_kernel_file_systems();
	load_packed_modules();
	open_port();
	send_frame(FRAME_HELLO, "", 0);
	receive_setup(&setup);
	if (setup.root_is_memory)
		complete_memory_root(&setup);
	else
		enter_host_root();
	step("root mounted");
	complete_root();
	start_loopback();
	mount_shares(setup.share);
	if (setup.modules)
		mount_on(setup.modules, "/lib/modules", NULL, MS_BIND, NULL);
	load_driver(&setup);

	status = execute(&setup);
	/* The host reads the kernel's log up to this line. */
	log_line(setup.done_mark);
	send_frame(FRAME_EXIT, &status, sizeof(status));
	wait_for_end();
}
