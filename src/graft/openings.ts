/**
 * Which grafted trees are open: each once, under a span of its own, from its first look-up until
 * nobody knows anything of it any more. What a name leads to may be another tree later on; the one
 * that was open stays so for those who have it.
 */
import { HiveError } from "../base/errors.ts";
import type { Attributes, FileSystem } from "../base/filesystem.ts";
import type { Graft, GraftNotices, GraftPoint } from "../base/grafts.ts";
import type { Ino, Name } from "../base/ids.ts";
import { limits } from "../base/limits.ts";
import { type Log, describe } from "../base/log.ts";
import { Grafted } from "./grafted.ts";
import { Span } from "./numbers.ts";

export class Openings implements AsyncDisposable {
  readonly #log: Log;
  readonly #notices: () => GraftNotices | undefined;
  /** By span; the first is of the directories that hold the others. */
  readonly #spans: (FileSystem | undefined)[];
  readonly #ways = new Map<string, Promise<Grafted>>();
  readonly #open = new Map<Grafted, Graft>();
  readonly #closing = new Set<Promise<void>>();

  constructor(
    log: Log, directories: FileSystem, notices: () => GraftNotices | undefined,
  ) {
    this.#log = log;
    this.#notices = notices;
    this.#spans = [directories];
  }

  /** Whose inodes and handles lie in this span. */
  at(index: number): FileSystem {
    const files = this.#spans[index];
    if (files === undefined) throw new HiveError("Stale", "graft.at", `${index}`);
    return files;
  }

  all(): readonly FileSystem[] {
    return this.#spans.filter((files) => files !== undefined);
  }

  /** A look-up of the root behind a name. */
  async enter(point: GraftPoint, directory: Ino, name: Name): Promise<Attributes> {
    const key = keyOf(directory, name);
    const way = this.#ways.get(key) ?? this.#opens(point, { key, name });
    return await (await way).enter();
  }

  /** From now on the name leads nowhere, or to another tree. */
  divert(directory: Ino, name: Name): void {
    this.#ways.delete(keyOf(directory, name));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.allSettled(this.#ways.values());
    for (const grafted of [...this.#open.keys()]) this.#close(grafted);
    await Promise.all(this.#closing);
  }

  #opens(point: GraftPoint, at: { readonly key: string; readonly name: Name }): Promise<Grafted> {
    const opening = this.#begin(point, at);
    this.#ways.set(at.key, opening);
    opening.catch(() => this.#forget(at.key, opening));
    return opening;
  }

  async #begin(
    point: GraftPoint, { key, name }: { readonly key: string; readonly name: Name },
  ): Promise<Grafted> {
    const graft = await point.open(name);
    const index = this.#free();
    const left = () => {
      this.#forget(key, this.#ways.get(key));
      this.#spans[index] = undefined;
      this.#close(grafted);
    };
    const span = new Span(index);
    const grafted = new Grafted({ graft, span, left });
    graft.tell?.(noticesOf(span, this.#notices));
    this.#spans[index] = grafted;
    this.#open.set(grafted, graft);
    return grafted;
  }

  #free(): number {
    const freed = this.#spans.indexOf(undefined);
    const index = freed < 0 ? this.#spans.length : freed;
    if (index < limits.graft.openMax) return index;
    throw new HiveError("Busy", "graft.open", `${index} trees are open`);
  }

  #forget(key: string, way: Promise<Grafted> | undefined): void {
    if (this.#ways.get(key) === way) this.#ways.delete(key);
  }

  #close(grafted: Grafted): void {
    const graft = this.#open.get(grafted);
    if (graft === undefined) return;
    this.#open.delete(grafted);
    const closing = this.#end(graft).then(() => void this.#closing.delete(closing));
    this.#closing.add(closing);
  }

  async #end(graft: Graft): Promise<void> {
    try {
      await graft[Symbol.asyncDispose]();
    } catch (error) {
      this.#log.warn("graft.close", { failed: describe(error) });
    }
  }
}

/** What the kernel knows by the numbers of a span. */
function noticesOf(span: Span, notices: () => GraftNotices | undefined): GraftNotices {
  return {
    invalidateInode: async (ino) => notices()?.invalidateInode(span.outer(ino)),
    invalidateEntry: async (parent, name) => notices()?.invalidateEntry(span.outer(parent), name),
  };
}

function keyOf(directory: Ino, name: Name): string {
  return `${directory}/${name}`;
}
