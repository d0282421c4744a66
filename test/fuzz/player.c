/* Plays file-system operations in the directory argv[1], one a line of stdin, and says on stdout
 * what came of each: the result, the errno, and what stat(2) and the bytes say of what it touched.
 * test/fuzz/mount-model.ts runs two of them, on a mount and on ext4, and compares the lines.
 *
 * Fields are separated by tabs: uid, operation, arguments. Numbers that may differ between two
 * sound file systems (inode numbers, blocks, the moments themselves) are not told. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/fsuid.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

enum { SLOTS = 8, FIELDS = 10, BIG = 8 << 20, OUT = 1 << 16, PAGE = 4096 };
typedef unsigned long long u64;

static int slots[SLOTS];
static char *field[FIELDS];
static int fields;
static unsigned char *data;
static char out[OUT];
static size_t used;
static char *verdict = "";

static void say(const char *format, ...) {
  va_list list;
  va_start(list, format);
  if (used < OUT - 8192) used += vsnprintf(out + used, 8192, format, list);
  va_end(list);
}

static long long number(int i) { return i < fields ? strtoll(field[i], NULL, 0) : 0; }
static const char *text(int i) { return i < fields ? field[i] : ""; }

static u64 hash(u64 h, const void *bytes, size_t length) {
  const unsigned char *p = bytes;
  for (; length >= 8; length -= 8, p += 8) {
    u64 word;
    memcpy(&word, p, 8);
    h = (h ^ word) * 0x9e3779b97f4a7c15ull;
    h ^= h >> 29;
  }
  while (length-- > 0) h = (h ^ *p++) * 0x100000001b3ull;
  return h;
}

static void fill(unsigned char *to, size_t length, u64 seed) {
  for (size_t i = 0; i < length; i++) {
    seed = seed * 6364136223846793005ull + 1442695040888963407ull;
    to[i] = seed >> 56;
  }
}

/* ---- what is told of a file */

static u64 contents(int fd, u64 h) {
  off_t at = 0;
  for (ssize_t got; (got = pread(fd, data, BIG, at)) != 0; at += got) {
    if (got < 0) return errno;
    h = hash(h, data, got);
  }
  return h;
}

static int by_name(const void *a, const void *b) { return strcmp(*(char **)a, *(char **)b); }

static u64 attributes_of(const char *path) {
  static char names[65536], value[65536];
  ssize_t length = llistxattr(path, names, sizeof names);
  char *sorted[512];
  int count = 0;
  for (char *at = names; length > 0 && at < names + length; at += strlen(at) + 1)
    if (strncmp(at, "security.", 9) != 0) sorted[count++] = at;
  qsort(sorted, count, sizeof *sorted, by_name);
  u64 h = count;
  for (int i = 0; i < count; i++) {
    ssize_t got = lgetxattr(path, sorted[i], value, sizeof value);
    h = hash(hash(h, sorted[i], strlen(sorted[i])), value, got < 0 ? 0 : got);
  }
  return h;
}

/* The facts that do not change by themselves. `deep`: contents and extended attributes too. */
static void tell(const char *path, int fd, int deep) {
  struct stat s;
  int bad = path ? fstatat(AT_FDCWD, path, &s, AT_SYMLINK_NOFOLLOW) : fstat(fd, &s);
  if (bad) {
    say(" absent:%d", errno);
    return;
  }
  say(" %o,%d,%d,%d", s.st_mode, (int)s.st_nlink, (int)s.st_uid, (int)s.st_gid);
  if (S_ISREG(s.st_mode)) say(",%lld", (long long)s.st_size);
  if (S_ISCHR(s.st_mode) || S_ISBLK(s.st_mode)) say(",%d:%d", major(s.st_rdev), minor(s.st_rdev));
  if (S_ISLNK(s.st_mode)) {
    ssize_t got = path ? readlink(path, (char *)data, BIG) : -1;
    say(",%llx", hash(1, data, got < 0 ? 0 : got));
  }
  if (!deep) return;
  if (path) say(",x%llx", attributes_of(path));
  if (!S_ISREG(s.st_mode)) return;
  int opened = path ? open(path, O_RDONLY) : fd;
  say(",h%llx", opened < 0 ? (u64)errno : contents(opened, 7));
  if (path && opened >= 0) close(opened);
}

/* ---- how times moved: c changed, r as it was but of just now (a clock's tick), - as it was */

struct before {
  const char *path;
  int fd;
  int there;
  struct stat s;
};

static double seconds(struct timespec t) { return t.tv_sec + t.tv_nsec / 1e9; }

static void look(struct before *b, const char *path, int fd) {
  b->path = path;
  b->fd = fd;
  b->there = (path ? fstatat(AT_FDCWD, path, &b->s, AT_SYMLINK_NOFOLLOW) : fstat(fd, &b->s)) == 0;
}

static char moved(struct timespec was, struct timespec is, double start) {
  if (was.tv_sec != is.tv_sec || was.tv_nsec != is.tv_nsec) return 'c';
  return seconds(is) > start - 0.02 && seconds(is) < start + 1 ? 'r' : '-';
}

static int is_one_of(const char *op, const char *words) {
  const char *at = strstr(words, op);
  size_t length = strlen(op);
  return at && (at == words || at[-1] == ' ') && (at[length] == ' ' || at[length] == 0);
}

/* Where the kernel decides by itself, and otherwise than ext4: a truncation that changes no size
 * moves no time; and ctime moves when an access list is taken away that is not there, or set to
 * what the mode says already. */
static int kernel_decides(const struct before *b, const struct before *now) {
  if (is_one_of(text(1), "truncate s-truncate")) return b->s.st_size == now->s.st_size;
  if (strncmp(text(3), "system.", 7) != 0) return 0;
  if (strcmp(text(1), "setxattr") == 0) return b->s.st_mode == now->s.st_mode;
  return strcmp(text(1), "removexattr") == 0;
}

static void tell_moves(const struct before *b, double start) {
  struct before now;
  look(&now, b->path, b->fd);
  if (!now.there || !b->there || now.s.st_ino != b->s.st_ino) return;
  // The kernel alone serves pipes and devices, and tells a FUSE file system nothing of their use.
  if (!S_ISREG(now.s.st_mode) && !S_ISDIR(now.s.st_mode) && !S_ISLNK(now.s.st_mode)) return;
  if (kernel_decides(b, &now)) return;
  say(" ~%c%c%c", moved(b->s.st_mtim, now.s.st_mtim, start),
      moved(b->s.st_ctim, now.s.st_ctim, start), moved(b->s.st_atim, now.s.st_atim, start));
  // The kernel's own stamps are of its last tick, ours of the moment: up to 10 ms between them.
  if (seconds(now.s.st_ctim) + 0.011 < seconds(b->s.st_ctim)) say("!ctime-went-back");
}

static char *parent_of(const char *path, char *room) {
  strcpy(room, path);
  char *slash = strrchr(room, '/');
  if (slash) *slash = 0;
  else strcpy(room, ".");
  return room;
}

/* ---- operations: each answers as a system call does */

static long with_file(const char *path, int flags, long (*act)(int fd)) {
  int fd = open(path, flags | O_NONBLOCK, 0666);
  if (fd < 0) return -1;
  long result = act(fd);
  int code = errno;
  close(fd);
  errno = code;
  return result;
}

static long at_write(int fd) {
  size_t length = number(4);
  fill(data, length, number(5));
  return pwrite(fd, data, length, number(3));
}
static long at_append(int fd) {
  fill(data, number(3), number(4));
  return write(fd, data, number(3));
}
static long at_truncate(int fd) { return ftruncate(fd, number(3)); }
static long at_fallocate(int fd) { return fallocate(fd, number(3), number(4), number(5)); }
static long at_fsync(int fd) { return number(3) ? fdatasync(fd) : fsync(fd); }
static long at_read(int fd) {
  ssize_t got = pread(fd, data, number(4), number(3));
  if (got > 0) say(" r%llx", hash(3, data, got));
  return got;
}
/* Whole pages, from memory that is aligned, as ext4 wants it. */
static long at_direct_write(int fd) {
  size_t length = number(4) * PAGE;
  fill(data, length, number(5));
  return pwrite(fd, data, length, number(3) * PAGE);
}
static long at_direct_read(int fd) {
  ssize_t got = pread(fd, data, number(4) * PAGE, number(3) * PAGE);
  if (got > 0) say(" r%llx", hash(3, data, got));
  return got;
}
static long nothing(int fd) { return fd < 0 ? -1 : 0; }

/* Reads and writes through a shared mapping of the whole file. */
static long at_map(int fd) {
  struct stat s;
  if (fstat(fd, &s) < 0) return -1;
  if (s.st_size == 0) return 0;
  unsigned char *map = mmap(NULL, s.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (map == MAP_FAILED) return -1;
  off_t from = number(3) % s.st_size;
  off_t length = number(4) < s.st_size - from ? number(4) : s.st_size - from;
  say(" m%llx", hash(5, map, s.st_size));
  fill(map + from, length, number(5));
  if (number(6)) msync(map, s.st_size, MS_SYNC);
  munmap(map, s.st_size);
  return length;
}

static long copy_range(void) {
  int from = open(text(2), O_RDONLY | O_NONBLOCK), to = open(text(3), O_WRONLY | O_NONBLOCK);
  long result = -1;
  int code = errno;
  if (from >= 0 && to >= 0) {
    off_t in = number(4), at = number(5);
    result = copy_file_range(from, &in, to, &at, number(6), 0);
    code = errno;
  }
  if (from >= 0) close(from);
  if (to >= 0) close(to);
  errno = code;
  return result;
}

/* Locks of an open file, so that the slots of this one process can be in each other's way. */
static long record_lock(int fd) {
  const short kinds[] = {F_RDLCK, F_WRLCK, F_UNLCK};
  struct flock lock = {.l_type = kinds[number(3) % 3], .l_whence = SEEK_SET};
  lock.l_start = number(4);
  lock.l_len = number(5);
  if (!number(6)) return fcntl(fd, F_OFD_SETLK, &lock);
  long result = fcntl(fd, F_OFD_GETLK, &lock);
  if (result == 0) say(" k%d,%lld,%lld", lock.l_type, (long long)lock.l_start, (long long)lock.l_len);
  return result;
}
static long whole_lock(int fd) {
  const int kinds[] = {LOCK_SH, LOCK_EX, LOCK_UN};
  return flock(fd, kinds[number(3) % 3] | LOCK_NB);
}

static int all_zero(off_t from, off_t to, int fd) {
  for (off_t at = from; at < to; at++) {
    if ((at - from) % 65536 == 0 && pread(fd, data, 65536, at) < 0) return 0;
    if (data[(at - from) % 65536] != 0) return 0;
  }
  return 1;
}

/* What is called a hole holds zeros; where the holes are is the file system's own business. */
static long at_seek(int fd) {
  struct stat s;
  if (fstat(fd, &s) < 0 || !S_ISREG(s.st_mode)) return 0;
  off_t from = number(3);
  off_t found = lseek(fd, from, SEEK_DATA);
  if (from >= s.st_size) return found < 0 ? -1 : -2;
  if (found < 0 && errno != ENXIO) return -1;
  if (!all_zero(from, found < 0 ? s.st_size : found, fd)) verdict = "!data-in-a-hole";
  if (found >= 0 && (found < from || found >= s.st_size)) verdict = "!data-outside";
  off_t hole = lseek(fd, from, SEEK_HOLE);
  if (hole < from || hole > s.st_size) verdict = "!hole-outside";
  return 0;
}

static long list_names(void) {
  struct dirent **list;
  int count = scandir(text(2), &list, NULL, alphasort);
  u64 h = count;
  for (int i = 0; i < count; free(list[i++])) {
    h = hash(h, list[i]->d_name, strlen(list[i]->d_name));
    h = h * 31 + (list[i]->d_name[0] == '.' ? 0 : list[i]->d_type);
  }
  if (count >= 0) {
    free(list);
    say(" l%llx", h);
  }
  return count;
}

static long set_times(void) {
  struct timespec times[2];
  for (int i = 0; i < 2; i++) {
    times[i].tv_sec = number(3 + 2 * i);
    long ns = number(4 + 2 * i);
    times[i].tv_nsec = ns == -1 ? UTIME_NOW : ns == -2 ? UTIME_OMIT : ns;
  }
  long result = utimensat(AT_FDCWD, text(2), times, AT_SYMLINK_NOFOLLOW);
  struct stat s;
  if (result < 0 || lstat(text(2), &s) < 0) return result;
  for (int i = 0; i < 2; i++) {
    struct timespec t = i ? s.st_mtim : s.st_atim;
    if (times[i].tv_nsec < 1000000000) say(" t%lld.%ld", (long long)t.tv_sec, t.tv_nsec);
  }
  return result;
}

/* Access lists as the kernel takes them; the numbers choose entries. */
static size_t access_list(unsigned char *to, u64 choice) {
  const unsigned char tags[] = {1, 2, 4, 8, 16, 32};
  size_t at = 4;
  memcpy(to, "\2\0\0\0", 4);
  for (int i = 0; i < 6; i++) {
    int named = i == 1 || i == 3;
    if ((named || i == 4) && !(choice & 1)) continue;
    uint16_t entry[2] = {tags[i], choice >> (3 + 3 * i) & 7};
    uint32_t id = named ? 1000 : ~0u;
    memcpy(to + at, entry, 4);
    memcpy(to + at + 4, &id, 4);
    at += 8;
  }
  return at;
}

static long set_attribute(void) {
  size_t length = number(4);
  if (strncmp(text(3), "system.", 7) == 0) length = access_list(data, number(5));
  else fill(data, length, number(5));
  return lsetxattr(text(2), text(3), data, length, number(6));
}

static long name_slot(void) {
  char path[64];
  snprintf(path, sizeof path, "/proc/self/fd/%d", slots[number(2)]);
  return linkat(AT_FDCWD, path, AT_FDCWD, text(3), AT_SYMLINK_FOLLOW);
}

static long open_slot(int slot, const char *path, int flags) {
  if (slots[slot] >= 0) close(slots[slot]);
  slots[slot] = *path ? open(path, flags | O_NONBLOCK, 0640) : -1;
  return slots[slot] < 0 ? -1 : 0;
}

/* ---- the whole tree, into the file argv names: one line each */

static void walk(const char *path, FILE *to) {
  struct dirent **list;
  int count = scandir(path, &list, NULL, alphasort);
  for (int i = 0; i < count; free(list[i++])) {
    const char *name = list[i]->d_name;
    if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0) continue;
    char below[4096];
    snprintf(below, sizeof below, "%s/%s", path, name);
    used = 0;
    tell(below, -1, 1);
    struct stat s;
    if (lstat(below, &s) < 0) continue;
    // See kernel_decides: an empty file that is emptied keeps its time on one side only.
    int ours = (S_ISREG(s.st_mode) && s.st_size > 0) || S_ISDIR(s.st_mode) || S_ISLNK(s.st_mode);
    int given = ours && s.st_mtim.tv_sec < 1600000000;
    if (given) say(" m%lld.%ld", (long long)s.st_mtim.tv_sec, s.st_mtim.tv_nsec);
    given = (S_ISREG(s.st_mode) || S_ISDIR(s.st_mode)) && s.st_atim.tv_sec < 1600000000;
    if (given) say(" a%lld.%ld", (long long)s.st_atim.tv_sec, s.st_atim.tv_nsec);
    fprintf(to, "%s%.*s\n", below, (int)used, out);
    if (S_ISDIR(s.st_mode)) walk(below, to);
  }
  if (count >= 0) free(list);
}

/* Each file by itself: for a FUSE mount syncfs(2) begins the writing and need not await it. */
static long sync_all(const char *path) {
  struct dirent **list;
  int count = scandir(path, &list, NULL, alphasort);
  for (int i = 0; i < count; free(list[i++])) {
    const char *name = list[i]->d_name;
    char below[4096];
    struct stat s;
    snprintf(below, sizeof below, "%s/%s", path, name);
    if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || lstat(below, &s) < 0) continue;
    if (S_ISDIR(s.st_mode)) sync_all(below);
    int fd = S_ISREG(s.st_mode) ? open(below, O_RDONLY) : -1;
    if (fd < 0) continue;
    if (fsync(fd) < 0) verdict = "!not-synced";
    close(fd);
  }
  if (count >= 0) free(list);
  return 0;
}

static long walk_all(void) {
  FILE *to = fopen(text(2), "w");
  walk(".", to);
  used = 0;
  return fclose(to);
}

#define IS(word) (strcmp(op, word) == 0)

static long act(const char *op) {
  const int slot = slots[number(2) & (SLOTS - 1)];
  if (IS("create")) return with_file(text(2), O_RDWR | O_CREAT | number(3), nothing);
  if (IS("write")) return with_file(text(2), O_WRONLY, at_write);
  if (IS("append")) return with_file(text(2), O_WRONLY | O_APPEND, at_append);
  if (IS("read")) return with_file(text(2), O_RDONLY, at_read);
  if (IS("direct-write")) return with_file(text(2), O_WRONLY | O_DIRECT, at_direct_write);
  if (IS("direct-read")) return with_file(text(2), O_RDONLY | O_DIRECT, at_direct_read);
  if (IS("map")) return with_file(text(2), O_RDWR, at_map);
  if (IS("seek")) return with_file(text(2), O_RDONLY, at_seek);
  if (IS("fsync")) return with_file(text(2), O_RDONLY, at_fsync);
  if (IS("fallocate")) return with_file(text(2), O_RDWR, at_fallocate);
  if (IS("truncate")) return truncate(text(2), number(3));
  if (IS("copy")) return copy_range();
  if (IS("mkdir")) return mkdir(text(2), number(3));
  if (IS("rmdir")) return rmdir(text(2));
  if (IS("unlink")) return unlink(text(2));
  if (IS("symlink")) return symlink(text(3), text(2));
  if (IS("link")) return link(text(2), text(3));
  if (IS("rename")) return syscall(SYS_renameat2, AT_FDCWD, text(2), AT_FDCWD, text(3), number(4));
  if (IS("mknod")) return mknod(text(2), number(3), number(4));
  if (IS("chmod")) return chmod(text(2), number(3));
  if (IS("chown")) return lchown(text(2), number(3), number(4));
  if (IS("utimens")) return set_times();
  if (IS("setxattr")) return set_attribute();
  if (IS("removexattr")) return lremovexattr(text(2), text(3));
  if (IS("list")) return list_names();
  if (IS("open")) return open_slot(number(2), text(3), number(4));
  if (IS("tmpfile")) return open_slot(number(2), text(3), O_TMPFILE | O_RDWR);
  if (IS("name")) return name_slot();
  if (IS("close")) return open_slot(number(2), "", 0) * 0;
  if (IS("s-write")) return at_write(slot);
  if (IS("s-append")) return at_append(slot);
  if (IS("s-read")) return at_read(slot);
  if (IS("s-truncate")) return at_truncate(slot);
  if (IS("s-fallocate")) return at_fallocate(slot);
  if (IS("s-fsync")) return at_fsync(slot);
  if (IS("s-lock")) return record_lock(slot);
  if (IS("s-flock")) return whole_lock(slot);
  if (IS("sync")) return sync_all(".");
  if (IS("walk")) return walk_all();
  errno = ENOSYS;
  return -1;
}

static void split(char *line) {
  fields = 0;
  line[strcspn(line, "\n")] = 0;
  for (char *at = line; at && fields < FIELDS;) field[fields++] = strsep(&at, "\t");
}

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_REALTIME, &t);
  return seconds(t);
}

static void play(char *line) {
  split(line);
  const char *op = text(1);
  char rooms[2][4096];
  struct before touched[5];
  int files = 0, all = 0;
  if (strncmp(op, "s-", 2) == 0 || IS("name"))
    look(&touched[files++], NULL, slots[number(2) & (SLOTS - 1)]);
  else if (!is_one_of(op, "open tmpfile close sync walk"))
    look(&touched[files++], text(2), -1);
  if (is_one_of(op, "link rename copy open name")) look(&touched[files++], text(3), -1);
  all = files;
  for (int i = 0; i < files; i++)
    if (touched[i].path)
      look(&touched[all], parent_of(touched[i].path, rooms[all - files]), -1), all++;
  used = 0;
  verdict = "";
  double start = now();
  int uid = number(0);
  setfsgid(uid);
  setfsuid(uid);
  errno = 0;
  long result = act(op);
  int code = result == -1 ? errno : 0;
  setfsuid(0);
  setfsgid(0);
  printf("%ld,%d%.*s", result, code, (int)used, out);
  used = 0;
  for (int i = 0; i < all; i++) {
    tell(touched[i].path, touched[i].fd, i < files);
    tell_moves(&touched[i], start);
  }
  printf("%.*s%s\n", (int)used, out, verdict);
  fflush(stdout);
}

int main(int count, char **in) {
  static char line[1 << 16];
  if (count < 2 || chdir(in[1]) < 0) return 99;
  data = aligned_alloc(PAGE, BIG);
  for (int i = 0; i < SLOTS; i++) slots[i] = -1;
  umask(022);
  // A pipe that its last reader has left is an error to compare, not an end.
  signal(SIGPIPE, SIG_IGN);
  while (fgets(line, sizeof line, stdin)) play(line);
  return 0;
}
