/**
 * The shape of every operation: `run` asks the tree, `encode` writes what it said. Whether the tree
 * answered at once or by a promise is the desk's matter (session.ts).
 */
import type { Kind } from "../../base/errors.ts";
import type { FileSystem } from "../../base/filesystem.ts";
import type { Handle, Ino } from "../../base/ids.ts";
import type { Maybe } from "../../base/step.ts";
import type { Reply } from "../protocol/reply.ts";
import type { Request } from "../protocol/request.ts";
import type { Lookups } from "./lookups.ts";

/** Where requests are served: one for each mount. */
export interface Desk {
  readonly tree: FileSystem;
  /** What the kernel holds open, so that a lost kernel leaves nothing open in the tree. */
  readonly handles: Map<Handle, "file" | "directory">;
  /** Open handles through which a file may change, so that its last bytes may be the kernel's. */
  readonly writers: Map<Handle, Ino>;
  /** Directories known to have, or not to have, a default access list. */
  readonly defaultLists: Map<Ino, boolean>;
  /** The kernel tells with an attribute what else it changes (FUSE_SETXATTR_EXT). */
  readonly hasLongSetxattr: boolean;
  /** The kernel opens directories by itself once it was told to (FUSE_NO_OPENDIR_SUPPORT). */
  readonly opensDirectories: boolean;
  /** Whether the kernel may be told of files that nobody has asked for. */
  readonly lookups: Pick<Lookups, "hasRoom" | "wantsFiles" | "listedAlone" | "asked">;
  /** Aborted when the caller of the present request is interrupted. */
  signal(): AbortSignal;
  takePage(): Page;
  givePage(page: Page): void;
  answer<T>(unique: number, value: T, parts: Parts<T>): void;
  later<T>(request: Request, value: Promise<T>, parts: Parts<T>): Promise<void>;
  /** Has the kernel write out what it holds of this file, before an answer that depends on it. */
  settle(ino: Ino): Maybe<void>;
  /** Has the kernel ask again for what it remembers of the inode, but not of its bytes. */
  forgetAttributes(ino: Ino): Promise<void>;
  /** For requests that have no answer. */
  forget(ino: Ino, lookups: number): void;
  interrupt(unique: number): void;
}

/** A page of directory entries under way, with the look-ups that it counted. */
export interface Page {
  readonly reply: Reply;
  readonly counted: Ino[];
}

export interface Parts<T> {
  run(desk: Desk, request: Request): Maybe<T>;
  encode(reply: Reply, value: T): void;
  /** Inodes whose look-ups this answer counts. */
  told?(value: T): readonly Ino[];
  /** The kernel did not take the answer: give back what it stood for. */
  undo?(desk: Desk, value: T): void;
  /** After the answer, whether it was taken or not. */
  done?(desk: Desk, value: T): void;
  /** `run` goes on using the request's bytes after it returned a promise. */
  readonly keepsRequest?: boolean;
  /** Changes nothing that undo cannot take back: an interrupted caller is let go at once. */
  readonly letsGo?: boolean;
  /** Where a kind means another errno than everywhere else. */
  readonly errnoOf?: Partial<Record<Kind, number>>;
}

/** Serves one request; a promise when the answer comes later. It throws what the tree throws. */
export interface Operation {
  readonly keepsRequest: boolean;
  readonly errnoOf: Partial<Record<Kind, number>> | undefined;
  serve(desk: Desk, request: Request): Promise<void> | undefined;
}

export function operation<T>(parts: Parts<T>): Operation {
  return {
    keepsRequest: parts.keepsRequest ?? false,
    errnoOf: parts.errnoOf,
    serve(desk, request) {
      const value = parts.run(desk, request);
      if (value instanceof Promise) return desk.later(request, value, parts);
      desk.answer(request.unique, value, parts);
      return undefined;
    },
  };
}

/** A request that the kernel wants no answer to. */
export function notice(act: (desk: Desk, request: Request) => void): Operation {
  return {
    keepsRequest: false,
    errnoOf: undefined,
    serve(desk, request) {
      act(desk, request);
      return undefined;
    },
  };
}

export function encodeNothing(): void {}
