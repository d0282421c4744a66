/* The kernel's side of a mount, in plain C: /dev/fuse, mount(2), and the descriptor that
 * fusermount3 hands over. Every function answers a value of zero or more, or minus the errno; none
 * prints, allocates, keeps state or owns a buffer. */
#ifndef HIVE_FUSE_H
#define HIVE_FUSE_H

#include <stddef.h>
#include <sys/uio.h>

/* Header and 64 pieces: a read of 1 MiB out of 256 KiB chunks has five. */
enum { FUSE_PIECES_MAX = 64 };

/* A new, unmounted /dev/fuse: non-blocking, closed on exec. */
int fuse_open(void);

typedef struct {
  const char *source, *directory, *type, *data;
  unsigned long flags;
} fuse_target;

/* mount(2); data must name the descriptor of fuse_open. Needs CAP_SYS_ADMIN. */
int fuse_mount(const fuse_target *target);

/* umount2(2). It may wait for the file system that it unmounts to write back, so never call it on
 * the thread that serves that file system. */
int fuse_unmount(const char *directory, int flags);

/* A connected pair for fusermount3's _FUSE_COMMFD. pair[0] is closed on exec. */
int fuse_pair(int pair[2]);

/* The descriptor that fusermount3 sent, made non-blocking; the caller owns it. -ENOMSG if none. */
int fuse_receive(int from);

/* One request: its length, or -EAGAIN when none came within the patience, -ENODEV after the
 * unmount. It waits by asking again and again, which is for times shorter than a wake-up takes. */
int fuse_read(int device, void *buffer, size_t length, int patience_us);

/* One answer, whole or not at all. -ENOENT: its request was interrupted and is gone. */
int fuse_write(int device, const struct iovec *pieces, int count);

#endif
