/** Operations on open directories and on the volume. */
import { HiveError } from "../../base/errors.ts";
import type { DirectoryItem } from "../../base/filesystem.ts";
import type { Handle } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import { type Maybe, then } from "../../base/step.ts";
import { errno } from "../errno.ts";
import { opened } from "../protocol/protocol.ts";
import type { Request } from "../protocol/request.ts";
import { type Desk, type Page, encodeNothing, operation } from "./operation.ts";

const blockBytes = 4096;
/** Inodes that could still be made: there is no table of them to fill. */
const freeFiles = 2 ** 32;

/**
 * A kernel that can do without is told so by the first refusal, and neither opens nor closes any
 * more: each listing is two requests less.
 */
export const opendir = operation<Handle>({
  errnoOf: { Unsupported: errno.ENOSYS },
  run: (desk, request) => {
    if (desk.opensDirectories) throw new HiveError("Unsupported", "mount.opendir", "no need");
    return then(desk.tree.opendir(request.ino), (handle) => {
      desk.handles.set(handle, "directory");
      return handle;
    });
  },
  // The kernel drops its copy of a listing by itself when a name changes through it.
  encode: (reply, handle) => {
    reply.u64(handle).u32(opened.keepCache | opened.cacheDirectory).u32(0);
  },
  undo: (desk, handle) => {
    desk.handles.delete(handle);
    void desk.tree.releasedir(handle);
  },
});

const listing = {
  letsGo: true,
  encode: (reply: Page["reply"], page: Page) => {
    const { bytes, lengthBytes } = page.reply;
    reply.pieces = [bytes.subarray(reply.lengthBytes, lengthBytes)];
  },
  told: (page: Page) => page.counted,
  undo: (desk: Desk, page: Page) => {
    for (const ino of page.counted) desk.forget(ino, 1);
  },
  done: (desk: Desk, page: Page) => desk.givePage(page),
};

export const readdir = operation<Page>({
  ...listing,
  run: (desk, request) => list(desk, request, { plus: false }),
});

export const readdirplus = operation<Page>({
  ...listing,
  run: (desk, request) => list(desk, request, { plus: true }),
});

export const releasedir = operation({
  run: (desk, request) => {
    const handle = request.handle(0);
    desk.handles.delete(handle);
    return desk.tree.releasedir(handle);
  },
  encode: encodeNothing,
});

export const fsyncdir = operation({
  run: (desk, request) => desk.tree.fsyncdir(request.handle(0)),
  encode: encodeNothing,
});

export const statfs = operation({
  letsGo: true,
  run: (desk) => desk.tree.statfs(),
  encode: (reply, volume) => {
    const free = Math.floor(volume.freeBytes / blockBytes);
    reply.u64(Math.floor(volume.totalBytes / blockBytes)).u64(free).u64(free);
    reply.u64(volume.files + freeFiles).u64(freeFiles);
    reply.u32(blockBytes).u32(volume.nameBytesMax).u32(blockBytes).zeros(7);
  },
});

export const syncfs = operation({
  run: (desk) => desk.tree.syncAll(),
  encode: encodeNothing,
});

export const destroy = operation({ run: () => undefined, encode: encodeNothing });

function list(desk: Desk, request: Request, how: { readonly plus: boolean }): Maybe<Page> {
  const lengthBytesMax = Math.min(request.u32(16), limits.mount.directoryBytesMax);
  const afterCookie = request.u64(8);
  const attributesMax = how.plus ? attributesFor(desk, afterCookie) : 0;
  const limit = { plus: how.plus, lengthBytesMax };
  const page = desk.takePage();
  const act = (handle: Handle): Maybe<Page> =>
    fill(desk, page, { handle, afterCookie, attributesMax, limit });
  return orElse(() => withDirectory(desk, request, act), () => {
    listing.undo(desk, page);
    desk.givePage(page);
  });
}

/** Under the kernel's handle; where it has none, under one for this answer alone. */
function withDirectory(
  desk: Desk, request: Request, act: (handle: Handle) => Maybe<Page>,
): Maybe<Page> {
  if (!desk.opensDirectories) return act(request.handle(0));
  return then(desk.tree.opendir(request.ino), (handle) => {
    const close = (): void => void desk.tree.releasedir(handle);
    return then(orElse(() => act(handle), close), (page) => {
      close();
      return page;
    });
  });
}

/**
 * An item without attributes is looked up when it is needed; a short listing needs no look-ups. A
 * directory's first page has those of all its files where programs look at files, else of a few.
 */
function attributesFor({ lookups }: Desk, afterCookie: number): number {
  if (afterCookie > 0) return lookups.hasRoom ? Infinity : 0;
  return lookups.wantsFiles() ? Infinity : limits.mount.firstAttributesMax;
}

interface Listing {
  readonly handle: Handle;
  readonly afterCookie: number;
  /** Items beyond it are names alone. */
  readonly attributesMax: number;
  readonly limit: { readonly plus: boolean; readonly lengthBytesMax: number };
}

function fill(
  desk: Desk, page: Page, { handle, afterCookie, attributesMax, limit }: Listing,
): Maybe<Page> {
  let last = afterCookie;
  let isFull = false;
  let alone = 0;
  const take = (item: DirectoryItem): boolean => {
    isFull = !page.reply.item(item, limit);
    if (isFull) return false;
    last = item.cookie;
    if (item.attributes !== undefined) page.counted.push(item.attributes.ino);
    else alone++;
    return true;
  };
  const withAttributes = attributesMax === 0 ? undefined
    : desk.tree.readdir(handle, { afterCookie, plus: true }, (item) => {
      return page.counted.length < attributesMax && take(item);
    });
  return then(withAttributes, () => {
    if (isFull || attributesMax === Infinity) return page;
    const names = desk.tree.readdir(handle, { afterCookie: last, plus: false }, take);
    return then(names, () => {
      if (limit.plus) desk.lookups.listedAlone(alone);
      return page;
    });
  });
}

function orElse<T>(act: () => Maybe<T>, failed: () => void): Maybe<T> {
  const fail = (error: unknown): never => {
    failed();
    throw error;
  };
  try {
    const value = act();
    return value instanceof Promise ? value.catch(fail) : value;
  } catch (error) {
    return fail(error);
  }
}
