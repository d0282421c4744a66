/* See fuse.h. */
#define _GNU_SOURCE
#include "fuse.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static int answer(long result) { return result < 0 ? -errno : (int)result; }

int fuse_open(void) { return answer(open("/dev/fuse", O_RDWR | O_CLOEXEC | O_NONBLOCK)); }

int fuse_mount(const fuse_target *target) {
  return answer(
      mount(target->source, target->directory, target->type, target->flags, target->data));
}

int fuse_unmount(const char *directory, int flags) { return answer(umount2(directory, flags)); }

int fuse_pair(int pair[2]) {
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0) return -errno;
  return 0;
}

static int prepare(int device) {
  int flags = fcntl(device, F_GETFL);
  if (flags >= 0 && fcntl(device, F_SETFL, flags | O_NONBLOCK) == 0) return device;
  int wrong = -errno;
  close(device);
  return wrong;
}

int fuse_receive(int from) {
  char byte;
  union {
    struct cmsghdr align;
    char bytes[CMSG_SPACE(sizeof(int))];
  } control;
  struct iovec piece = {&byte, 1};
  struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1, .msg_control = control.bytes,
                           .msg_controllen = sizeof control.bytes};
  long got = recvmsg(from, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  if (got < 0) return -errno;
  struct cmsghdr *head = CMSG_FIRSTHDR(&message);
  if (head == NULL || head->cmsg_type != SCM_RIGHTS || head->cmsg_len != CMSG_LEN(sizeof(int)))
    return -ENOMSG;
  int device;
  memcpy(&device, CMSG_DATA(head), sizeof device);
  return prepare(device);
}

static long long now_us(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000000LL + now.tv_nsec / 1000;
}

/* ENOENT here: the request was interrupted between its announcement and this read. */
static int read_once(int device, void *buffer, size_t length) {
  for (;;) {
    long got = read(device, buffer, length);
    if (got >= 0) return (int)got;
    if (errno != EINTR && errno != ENOENT) return -errno;
  }
}

int fuse_read(int device, void *buffer, size_t length, int patience_us) {
  int got = read_once(device, buffer, length);
  if (got != -EAGAIN || patience_us <= 0) return got;
  long long end = now_us() + patience_us;
  do
    got = read_once(device, buffer, length);
  while (got == -EAGAIN && now_us() < end);
  return got;
}

int fuse_write(int device, const struct iovec *pieces, int count) {
  for (;;) {
    long sent = writev(device, pieces, count);
    if (sent >= 0) return (int)sent;
    if (errno != EINTR) return -errno;
  }
}
