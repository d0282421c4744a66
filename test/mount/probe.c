/* System calls that no common tool makes, for the mount tests: exits with the errno (0: it worked),
 * prints what the call told. Built by test/mount/harness.ts. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

int direct(char **), map_private(char **), map_truncated(char **), locks(char **);
int seek_directory(char **), far_away(char **), append(char **), longest_path(char **);
int moments(char **), values(char **);

static int done(long result) { return result < 0 ? errno : 0; }

static int rename_with(char **in, unsigned flags) {
  return done(syscall(SYS_renameat2, AT_FDCWD, in[0], AT_FDCWD, in[1], flags));
}

static int exchange(char **in) { return rename_with(in, 2); }
static int noreplace(char **in) { return rename_with(in, 1); }
static int whiteout(char **in) { return rename_with(in, 4); }

/* A nameless file, written, then given the name in[1]. */
static int tmpfile_link(char **in) {
  int fd = open(in[0], O_TMPFILE | O_RDWR, 0640);
  if (fd < 0) return errno;
  if (write(fd, "nameless", 8) != 8) return errno;
  char path[64];
  snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  return done(linkat(AT_FDCWD, path, AT_FDCWD, in[1], AT_SYMLINK_FOLLOW));
}

/* Doubles the file through a shared mapping: reads the first page, writes it upper-cased. */
static int map(char **in) {
  int fd = open(in[0], O_RDWR);
  struct stat status;
  if (fd < 0 || fstat(fd, &status) < 0) return errno;
  char *bytes = mmap(NULL, status.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (bytes == MAP_FAILED) return errno;
  for (off_t i = 0; i < status.st_size; i++)
    if (bytes[i] >= 'a' && bytes[i] <= 'z') bytes[i] -= 32;
  if (msync(bytes, status.st_size, MS_SYNC) < 0) return errno;
  return done(munmap(bytes, status.st_size));
}

static int allocate(char **in) {
  int fd = open(in[0], O_RDWR);
  if (fd < 0) return errno;
  return done(fallocate(fd, atoi(in[1]), atoll(in[2]), atoll(in[3])));
}

static int seek(char **in) {
  int fd = open(in[0], O_RDONLY);
  if (fd < 0) return errno;
  off_t at = lseek(fd, atoll(in[2]), strcmp(in[1], "hole") == 0 ? SEEK_HOLE : SEEK_DATA);
  if (at < 0) return errno;
  printf("%lld", (long long)at);
  return 0;
}

/* What another program is told of data that the kernel has not handed to the file system yet. */
static int seek_unwritten(char **in) {
  static char bytes[100000];
  memset(bytes, 'x', sizeof bytes);
  int fd = open(in[0], O_RDWR | O_CREAT, 0644), other = open(in[0], O_RDONLY);
  if (fd < 0 || other < 0) return errno;
  if (pwrite(fd, bytes, sizeof bytes, 300000) != sizeof bytes) return errno;
  printf("%lld ", (long long)lseek(other, 0, SEEK_DATA));
  printf("%lld", (long long)lseek(other, 300000, SEEK_HOLE));
  return 0;
}

/* Reserves and copies into in[0] as a user without rights over its set-user-id bits. */
static int foreign_change(char **in) {
  int allocated = open(in[0], O_RDWR), copied = open(in[1], O_RDWR);
  if (allocated < 0 || copied < 0 || setgid(12345) < 0 || setuid(12345) < 0) return errno;
  if (fallocate(allocated, 0, 0, 5000) < 0) return errno;
  return copy_file_range(allocated, NULL, copied, NULL, 10, 0) < 0 ? errno : 0;
}

static int copy(char **in) {
  int from = open(in[0], O_RDONLY), to = open(in[1], O_RDWR | O_CREAT, 0644);
  if (from < 0 || to < 0) return errno;
  long copied = copy_file_range(from, NULL, to, NULL, (size_t)atoll(in[2]), 0);
  if (copied < 0) return errno;
  printf("%ld", copied);
  return 0;
}

/* A descriptor for writing only, and a write into the middle of a page that is not cached. */
static int write_only(char **in) {
  int fd = open(in[0], O_WRONLY);
  if (fd < 0) return errno;
  if (pwrite(fd, "XX", 2, 3) != 2) return errno;
  return done(close(fd));
}

/* Unlinked while open: still readable and writable through its descriptor. */
static int orphan(char **in) {
  int fd = open(in[0], O_RDWR);
  if (fd < 0 || unlink(in[0]) < 0 || pwrite(fd, "after", 5, 0) != 5) return errno;
  char bytes[6] = "";
  if (pread(fd, bytes, 5, 0) != 5) return errno;
  struct stat status;
  if (fstat(fd, &status) < 0) return errno;
  printf("%s %d", bytes, (int)status.st_nlink);
  return done(close(fd));
}

static int record_lock(char **in) {
  int fd = open(in[0], O_RDWR);
  struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 10};
  if (fd < 0 || fcntl(fd, F_SETLK, &lock) < 0) return errno;
  return done(close(fd));
}

static int tell_birth(char **in) {
  struct statx status;
  if (statx(AT_FDCWD, in[0], 0, STATX_BTIME, &status) < 0) return errno;
  printf("%lld", (status.stx_mask & STATX_BTIME) ? (long long)status.stx_btime.tv_sec : -1LL);
  return 0;
}

int main(int count, char **in) {
  static const struct {
    const char *name;
    int (*act)(char **);
  } all[] = {{"exchange", exchange}, {"noreplace", noreplace}, {"whiteout", whiteout},
             {"tmpfile", tmpfile_link}, {"map", map}, {"allocate", allocate}, {"seek", seek},
             {"seek-unwritten", seek_unwritten}, {"foreign-change", foreign_change},
             {"copy", copy}, {"write-only", write_only}, {"orphan", orphan},
             {"lock", record_lock}, {"birth", tell_birth}, {"direct", direct},
             {"map-private", map_private}, {"map-truncated", map_truncated}, {"locks", locks},
             {"seekdir", seek_directory}, {"far", far_away}, {"append", append},
             {"longest-path", longest_path}, {"moments", moments}, {"values", values}};
  for (size_t i = 0; count > 1 && i < sizeof all / sizeof *all; i++)
    if (strcmp(in[1], all[i].name) == 0) return all[i].act(in + 2);
  return 99;
}
