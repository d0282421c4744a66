/* More of probe.c: what takes several processes, mappings or a directory under change. EILSEQ says
 * that bytes or names were not what they should be. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

enum { PAGE = 4096 };

/* Direct writes are seen by cached reads, and cached writes by direct reads. */
int direct(char **in) {
  int cached = open(in[0], O_RDWR | O_CREAT, 0644), past = open(in[0], O_RDWR | O_DIRECT);
  char *bytes = aligned_alloc(PAGE, 2 * PAGE), seen[PAGE];
  if (cached < 0 || past < 0) return errno;
  memset(bytes, 'a', 2 * PAGE);
  if (pwrite(cached, bytes, 2 * PAGE, 0) < 0) return errno;
  memset(bytes, 'b', PAGE);
  if (pwrite(past, bytes, PAGE, PAGE) != PAGE) return errno;
  if (pread(cached, seen, PAGE, PAGE) != PAGE) return errno;
  if (memcmp(seen, bytes, PAGE) != 0) return EILSEQ;
  if (pwrite(cached, "cached", 6, 100) != 6 || pread(past, bytes, PAGE, 0) != PAGE) return errno;
  if (memcmp(bytes + 100, "cached", 6) != 0 || bytes[99] != 'a') return EILSEQ;
  // At the end a read is short, and after it there is nothing.
  if (ftruncate(cached, PAGE + 10) < 0) return errno;
  if (pread(past, bytes, 2 * PAGE, PAGE) != 10 || pread(past, bytes, PAGE, 2 * PAGE) != 0)
    return EILSEQ;
  return 0;
}

/* What is written to a private mapping stays in it. */
int map_private(char **in) {
  int fd = open(in[0], O_RDONLY);
  char seen[4] = "";
  if (fd < 0) return errno;
  char *bytes = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
  if (bytes == MAP_FAILED) return errno;
  memcpy(bytes, "mine", 4);
  if (memcmp(bytes, "mine", 4) != 0 || munmap(bytes, PAGE) < 0) return EILSEQ;
  if (pread(fd, seen, 4, 0) != 4) return errno;
  return memcmp(seen, "mine", 4) == 0 ? EILSEQ : 0;
}

/* The signal that ends a process which reads this byte; 0 when it may. */
static int signal_of(const volatile char *byte) {
  int status;
  pid_t child = fork();
  if (child == 0) {
    signal(SIGBUS, SIG_DFL);
    _exit(*byte == 'x');
  }
  waitpid(child, &status, 0);
  return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

/* A file that is cut while it is mapped: SIGBUS behind its end, zeros when it has grown again. */
int map_truncated(char **in) {
  int fd = open(in[0], O_RDWR | O_CREAT, 0644);
  char full[3 * PAGE];
  memset(full, 'x', sizeof full);
  if (fd < 0 || write(fd, full, sizeof full) < 0) return errno;
  char *bytes = mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (bytes == MAP_FAILED) return errno;
  bytes[2 * PAGE] = 'y';
  if (ftruncate(fd, PAGE + 100) < 0) return errno;
  if (signal_of(bytes + PAGE) != 0 || signal_of(bytes + 2 * PAGE) != SIGBUS) return EILSEQ;
  if (bytes[PAGE + 99] != 'x' || bytes[PAGE + 100] != 0) return EILSEQ;
  if (ftruncate(fd, 3 * PAGE) < 0) return errno;
  if (signal_of(bytes + 2 * PAGE) != 0 || bytes[2 * PAGE] != 0 || bytes[PAGE + 100] != 0)
    return EILSEQ;
  bytes[2 * PAGE] = 'z';
  if (msync(bytes, 3 * PAGE, MS_SYNC) < 0 || pread(fd, full, 1, 2 * PAGE) != 1) return errno;
  return full[0] == 'z' ? 0 : EILSEQ;
}

static int try_lock(int fd, int type, off_t from, int command) {
  struct flock lock = {.l_type = type, .l_whence = SEEK_SET, .l_start = from, .l_len = 10};
  if (fcntl(fd, command, &lock) < 0) return errno;
  return command == F_GETLK && lock.l_type != F_UNLCK ? lock.l_pid : 0;
}

/* What a second process is told while the first holds a record and the file, and what when not. */
static int other_locks(const char *path, int from_first, int to_first) {
  int fd = open(path, O_RDWR);
  char byte;
  if (fd < 0) return 1;
  if (try_lock(fd, F_WRLCK, 5, F_SETLK) != EAGAIN) return 2;
  if (try_lock(fd, F_RDLCK, 5, F_GETLK) != getppid()) return 3;
  if (try_lock(fd, F_WRLCK, 10, F_SETLK) != 0) return 4;
  if (flock(fd, LOCK_SH | LOCK_NB) == 0 || errno != EWOULDBLOCK) return 5;
  if (write(to_first, "!", 1) != 1 || read(from_first, &byte, 1) != 1) return 6;
  // The first lets go while this waits.
  if (try_lock(fd, F_WRLCK, 0, F_SETLKW) != 0 || flock(fd, LOCK_EX) != 0) return 7;
  return 0;
}

int locks(char **in) {
  int fd = open(in[0], O_RDWR), there[2], back[2], status;
  char byte;
  if (fd < 0 || pipe(there) < 0 || pipe(back) < 0) return errno;
  if (try_lock(fd, F_WRLCK, 0, F_SETLK) != 0 || flock(fd, LOCK_EX | LOCK_NB) < 0) return errno;
  pid_t child = fork();
  if (child == 0) {
    close(fd);
    _exit(other_locks(in[0], there[0], back[1]));
  }
  close(back[1]);
  if (read(back[0], &byte, 1) == 1) {
    if (write(there[1], "!", 1) != 1) return errno;
    usleep(50000);
    if (try_lock(fd, F_UNLCK, 0, F_SETLK) != 0 || flock(fd, LOCK_UN) < 0) return errno;
  }
  waitpid(child, &status, 0);
  printf("%d", WIFEXITED(status) ? WEXITSTATUS(status) : 99);
  return 0;
}

enum { FILES = 3000, KEPT = 20 };

static struct dirent *next_file(DIR *directory) {
  struct dirent *entry;
  do entry = readdir(directory);
  while (entry && entry->d_name[0] == '.');
  return entry;
}

/* A directory that changes while it is read: every file that stays is told once, and a place that
 * was told leads back there. in[0] holds f0 to f2999. */
int seek_directory(char **in) {
  static int seen[FILES], gone[FILES];
  char kept[KEPT][256];
  if (chdir(in[0]) < 0) return errno;
  DIR *directory = opendir(".");
  struct dirent *entry;
  long place = 0;
  int count = 0;
  while ((entry = next_file(directory))) {
    if (entry->d_name[0] != 'f') continue;
    int number = atoi(entry->d_name + 1);
    seen[number]++;
    if (count >= 1000 && count < 1000 + KEPT) strcpy(kept[count - 1000], entry->d_name);
    else if (number % 3 == 0 && ++gone[number] && unlink(entry->d_name) < 0) return errno;
    if (count % 10 == 0) {
      char name[32];
      snprintf(name, sizeof name, "new%d", count);
      close(open(name, O_CREAT | O_WRONLY, 0644));
    }
    if (++count == 1000) place = telldir(directory);
  }
  for (int i = 0; i < FILES; i++)
    if (seen[i] != 1) return EILSEQ;
  seekdir(directory, place);
  for (int i = 0; i < KEPT;) {
    if (!(entry = next_file(directory))) return EILSEQ;
    if (entry->d_name[0] == 'f' && strcmp(entry->d_name, kept[i++]) != 0) return EILSEQ;
  }
  rewinddir(directory);
  int left = 0, expected = 300;
  for (int i = 0; i < FILES; i++) expected += !gone[i];
  while (next_file(directory)) left++;
  closedir(directory);
  return left == expected ? 0 : EILSEQ;
}

int far_away(char **in) {
  const off_t far = (1ll << 43) + 5;
  int fd = open(in[0], O_RDWR | O_CREAT, 0644);
  struct stat status;
  char bytes[9] = "";
  if (fd < 0 || pwrite(fd, "far", 3, far) != 3 || fsync(fd) < 0) return errno;
  if (pread(fd, bytes, 8, far - 5) != 8 || fstat(fd, &status) < 0) return errno;
  if (memcmp(bytes, "\0\0\0\0\0far", 8) != 0) return EILSEQ;
  printf("%lld %d", (long long)status.st_size, status.st_blocks < 8192);
  return 0;
}

/* Two processes append to one file: every record is whole. */
int append(char **in) {
  pid_t child = fork();
  int fd = open(in[0], O_WRONLY | O_APPEND | O_CREAT, 0644);
  char letter = child == 0 ? 'a' : 'b', record[17];
  if (fd < 0) return errno;
  memset(record, letter, 16);
  record[15] = '\n';
  for (int i = 0; i < 1000; i++)
    if (write(fd, record, 16) != 16) return errno;
  close(fd);
  if (child == 0) _exit(0);
  waitpid(child, NULL, 0);
  FILE *file = fopen(in[0], "r");
  int counts[2] = {0, 0};
  while (fread(record, 1, 16, file) == 16) {
    for (int i = 1; i < 15; i++)
      if (record[i] != record[0]) return EILSEQ;
    counts[record[0] == 'b']++;
  }
  printf("%d %d", counts[0], counts[1]);
  return 0;
}

/* Directories below in[0] until a path has 4095 bytes; one more is too many. */
int longest_path(char **in) {
  char path[PAGE + 2];
  size_t length = strlen(strcpy(path, in[0]));
  while (length < PAGE - 1) {
    size_t part = PAGE - 1 - length - 1;
    if (part > 255) part = part > 500 ? 255 : 200;
    path[length++] = '/';
    memset(path + length, 'p', part);
    path[length += part] = 0;
    if (length < PAGE - 1 && mkdir(path, 0755) < 0) return errno;
  }
  int fd = open(path, O_CREAT | O_RDWR, 0644);
  struct stat status;
  if (fd < 0 || write(fd, "deep", 4) != 4 || close(fd) < 0 || stat(path, &status) < 0) return errno;
  printf("%zu %d ", length, (int)status.st_size);
  strcat(path, "p");
  printf("%d", open(path, O_CREAT | O_RDWR, 0644) < 0 && errno == ENAMETOOLONG);
  return 0;
}

/* UTIME_OMIT leaves a time alone, UTIME_NOW is now; both come through a descriptor too. */
int moments(char **in) {
  struct stat status;
  struct timespec given[2] = {{5, 500}, {6, 600}}, later[2] = {{0, UTIME_OMIT}, {7, 700}};
  struct timespec now[2] = {{0, UTIME_NOW}, {0, UTIME_OMIT}};
  int fd = open(in[0], O_RDWR | O_CREAT, 0644);
  if (fd < 0 || utimensat(AT_FDCWD, in[0], given, 0) < 0 || futimens(fd, later) < 0) return errno;
  if (fstat(fd, &status) < 0) return errno;
  printf("%ld.%ld %ld.%ld ", status.st_atim.tv_sec, status.st_atim.tv_nsec, status.st_mtim.tv_sec,
         status.st_mtim.tv_nsec);
  if (futimens(fd, now) < 0 || fstat(fd, &status) < 0) return errno;
  printf("%d %ld", status.st_atim.tv_sec > 1600000000, status.st_mtim.tv_sec);
  return 0;
}

static int code(long result) { return result < 0 ? errno : 0; }

/* The flags of setxattr(2), and sizes asked for before they are read. */
int values(char **in) {
  const char *name = "user.value";
  char room[100];
  if (code(setxattr(in[0], name, "one", 3, XATTR_REPLACE)) != ENODATA) return EILSEQ;
  if (setxattr(in[0], name, "one", 3, XATTR_CREATE) < 0) return errno;
  if (code(setxattr(in[0], name, "two", 3, XATTR_CREATE)) != EEXIST) return EILSEQ;
  if (setxattr(in[0], name, "three", 5, XATTR_REPLACE) < 0) return errno;
  if (getxattr(in[0], name, NULL, 0) != 5 || getxattr(in[0], name, room, 100) != 5) return EILSEQ;
  if (code(getxattr(in[0], name, room, 4)) != ERANGE) return EILSEQ;
  if (listxattr(in[0], room, 100) != 11 || strcmp(room, name) != 0) return EILSEQ;
  if (code(listxattr(in[0], room, 3)) != ERANGE) return EILSEQ;
  if (removexattr(in[0], name) < 0) return errno;
  return code(removexattr(in[0], name)) == ENODATA ? 0 : EILSEQ;
}
