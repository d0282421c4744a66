/**
 * Makes a part of the copy as the source is: one folder, or some names of it, or all below. It goes
 * by what both sides say now and keeps no books, so whatever ended it, and whatever it was never
 * told, the next look makes good. A folder is read as a stream and a few files are copied at once:
 * memory does not grow with what is watched.
 */
import type { BigIntStats } from "node:fs";
import { mkdir, opendir, readFile, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { HiveError, codeOf, isFault } from "../base/errors.ts";
import { Gate } from "../base/gate.ts";
import { pastNames } from "../base/grafts.ts";
import { limits } from "../base/limits.ts";
import { type CopyNeeds, copyFile, copyLink, dress, isLeftOver, reading, temporaryName, writing }
  from "./copy.ts";
import { judge } from "./judge.ts";
import { isSameContent } from "./content.ts";
import { type Below, folderOf, inside, isGone, join, nameOf, statOf, textOf } from "./places.ts";
import { type FolderRules, isIgnored, parseRules, ruleFiles } from "./rules.ts";

export interface MirrorPlaces {
  readonly source: string;
  readonly copy: string;
  /** What is deleted in the source is deleted in the copy; otherwise it stays there. */
  readonly deletes: boolean;
}

export interface MirrorReport {
  looked(): void;
  copied(bytes: number): void;
  removed(): void;
  skipped(): void;
  /** It changed while it was read, or cannot be read: it is not as it is in the source. */
  failed(path: Below, why: string): void;
}

interface Entry {
  readonly name: string;
  readonly isFolder: boolean;
}

const drivesNames: ReadonlySet<string> = new Set(Object.values(pastNames));

/** The names to look at; "all" of the folder's own, or "below" too. */
export type Extent = ReadonlySet<string> | "all" | "below";

export class Mirror {
  readonly #places: MirrorPlaces;
  readonly #needs: CopyNeeds;
  readonly #report: MirrorReport;
  readonly #gate = new Gate({ seats: limits.watch.copiesAtOnce, queueMax: 1 });
  /** The file systems that it never goes into: the drive's own mount. */
  readonly #never: ReadonlySet<bigint>;
  /** The source, as it was when the look began. */
  #root: BigIntStats | undefined;
  /** Folders that rules leave out: nobody has to watch them. */
  readonly ignoredFolders = new Set<Below>();

  constructor(
    places: MirrorPlaces, needs: CopyNeeds & { readonly never: ReadonlySet<bigint> },
    report: MirrorReport,
  ) {
    this.#places = places;
    this.#needs = needs;
    this.#report = report;
    this.#never = needs.never;
  }

  async look(folder: Below, extent: Extent): Promise<void> {
    this.#root = await reading(() => statOf(this.#from("")));
    if (folder === "") return await this.#look(folder, extent);
    await this.#orNote(folder, () => this.#look(folder, extent));
  }

  async #look(folder: Below, extent: Extent): Promise<void> {
    const chain = await this.#rulesOf(folder);
    if (chain === undefined) return;
    const source = await reading(() => statOf(this.#from(folder)));
    // Whoever looks at the folder above finds out what has become of it.
    if (source === undefined || !source.isDirectory()) return;
    await this.#makeWay(folder);
    await this.#folder(folder, source, { extent, chain });
  }

  async #folder(
    folder: Below, source: BigIntStats,
    { extent, chain }: { readonly extent: Extent; readonly chain: readonly FolderRules[] },
  ): Promise<void> {
    const under = { chain, isDeep: extent === "below" };
    const running = new Set<Promise<void>>();
    const names = typeof extent === "string" ? this.#namesIn(folder) : extent;
    try {
      for await (const name of names) {
        this.#needs.signal.throwIfAborted();
        const path = inside(folder, name);
        await this.#orNote(path, () => this.#name(path, under, running));
      }
      await Promise.all(running);
    } finally {
      await Promise.allSettled(running);
    }
    if (typeof extent === "string") await this.#sweep(folder, chain);
    await this.#dressFolder(folder, source);
  }

  async #name(
    path: Below,
    under: { readonly chain: readonly FolderRules[]; readonly isDeep: boolean },
    running: Set<Promise<void>>,
  ): Promise<void> {
    const source = await reading(() => statOf(this.#from(path)));
    if (source === undefined) {
      if (!this.#isOut(under.chain, path, false)) await this.#gone(path);
      return;
    }
    const isFolder = source.isDirectory();
    if (this.#isOut(under.chain, path, isFolder) || this.#never.has(source.dev)) return;
    this.#report.looked();
    if (drivesNames.has(nameOf(path))) {
      throw new HiveError("Denied", "watch.name", "the drive has another use for that name");
    }
    if (isFolder) return this.#subfolder(path, source, under);
    const seat = await this.#gate.enter();
    const work = this.#orNote(path, () => this.#file(path, source)).finally(() => {
      seat[Symbol.dispose]();
      running.delete(work);
    });
    // Whoever waits for all of them hears of a failure; until then it is nobody's.
    work.catch(() => undefined);
    running.add(work);
  }

  async #subfolder(
    path: Below, source: BigIntStats,
    { chain, isDeep }: { readonly chain: readonly FolderRules[]; readonly isDeep: boolean },
  ): Promise<void> {
    const copy = await writing(() => statOf(this.#to(path)));
    const verdict = judge(source, copy, this.#needs.owner);
    if (verdict.act === "replace") await this.#putAway(path);
    const isNew = verdict.act === "copy" || verdict.act === "replace";
    if (isNew) await writing(() => mkdir(this.#to(path), { mode: 0o700 }));
    if (isNew || isDeep) {
      const more = [...chain, await this.#rulesIn(path)];
      return this.#folder(path, source, { extent: "below", chain: more });
    }
    if (verdict.act === "dress") await this.#dressFolder(path, source);
  }

  /** What cannot be had, or not be kept, is told, and is no reason not to look at the next. */
  async #orNote(path: Below, act: () => Promise<void>): Promise<void> {
    try {
      await act();
    } catch (error) {
      if (!isFault(error, "Denied")) throw error;
      this.#report.failed(path, error.subject);
    }
  }

  async #file(path: Below, source: BigIntStats): Promise<void> {
    const to = this.#to(path);
    const copy = await writing(() => statOf(to));
    const { act } = judge(source, copy, this.#needs.owner);
    if (act === "skip") return this.#report.skipped();
    if (act === "nothing") return;
    const from = this.#from(path);
    const isSame = act === "dress"
      || (act === "compare" && await isSameContent(from, to, this.#needs.signal));
    if (isSame) return writing(() => dress(from, to, source, this.#needs));
    if (act === "replace") await this.#putAway(path);
    const aside = this.#to(inside(folderOf(path), temporaryName()));
    const places = { from, aside, to };
    if (source.isSymbolicLink()) {
      if (await copyLink(places, source, this.#needs)) this.#report.copied(0);
      return;
    }
    const copied = await copyFile(places, this.#needs);
    if (copied !== undefined) this.#report.copied(copied);
  }

  /** What has this name in the copy is of another type, and may be the last of its kind. */
  async #putAway(path: Below): Promise<void> {
    await writing(async () => {
      if (this.#places.deletes) return rm(this.#to(path), { recursive: true, force: true });
      for (let number = 1; ; number++) {
        const free = this.#to(`${path}.replaced-${number}`);
        if (await statOf(free) !== undefined) continue;
        return rename(this.#to(path), free);
      }
    });
  }

  async #gone(path: Below): Promise<void> {
    if (!this.#places.deletes) return;
    await this.#checkRoot();
    await writing(async () => {
      if (await statOf(this.#to(path)) === undefined) return;
      await rm(this.#to(path), { recursive: true, force: true });
      this.#report.removed();
    });
  }

  /** A disk that goes takes all of it along, and nothing was deleted. */
  async #checkRoot(): Promise<void> {
    const now = await reading(() => statOf(this.#from("")));
    if (now?.dev === this.#root?.dev && now?.ino === this.#root?.ino) return;
    throw new HiveError("NotFound", "watch.source", "it went away while it was looked at");
  }

  /** What is in the copy alone: left over from a copy that was ended, or deleted in the source. */
  async #sweep(folder: Below, chain: readonly FolderRules[]): Promise<void> {
    for await (const { name, isFolder } of this.#entriesOf(this.#to(folder), writing)) {
      const path = inside(folder, name);
      if (isLeftOver(name)) await writing(() => rm(this.#to(path), { force: true }));
      else if (this.#places.deletes && !this.#isOut(chain, path, isFolder)) {
        const source = await reading(() => statOf(this.#from(path)));
        if (source === undefined) await this.#gone(path);
      }
    }
  }

  async #dressFolder(path: Below, source: BigIntStats): Promise<void> {
    const copy = await writing(() => statOf(this.#to(path)));
    // The folder that all goes into is the user's own.
    if (path === "" || copy === undefined) return;
    const { act } = judge(source, copy, this.#needs.owner);
    if (act !== "dress") return;
    await writing(() => dress(this.#from(path), this.#to(path), source, this.#needs));
  }

  /** The folders down to this one are there, as folders. */
  async #makeWay(folder: Below): Promise<void> {
    await this.#checkDrive();
    await this.#makeCopy();
    const names = folder === "" ? [] : folder.split("/");
    for (const depth of names.keys()) {
      const path = names.slice(0, depth + 1).join("/");
      const copy = await writing(() => statOf(this.#to(path)));
      if (copy?.isDirectory()) continue;
      if (copy !== undefined) await this.#putAway(path);
      await writing(() => mkdir(this.#to(path), { mode: 0o700 }));
    }
  }

  /** One by one: Node tries without end where a folder is there and none can be made in it. */
  async #makeCopy(): Promise<void> {
    const missing: string[] = [];
    for (let at = this.#places.copy; await isMissing(at); at = dirname(at)) missing.unshift(at);
    for (const path of missing) await writing(() => makeFolder(path));
  }

  /** Where the drive is not there any more nothing is made: its bare mount point would keep it. */
  async #checkDrive(): Promise<void> {
    if (this.#never.size === 0) return;
    for (let at = this.#places.copy; ; at = dirname(at)) {
      const there = await writing(() => statOf(join(at, "")));
      if (there === undefined) continue;
      if (this.#never.has(there.dev)) return;
      throw new HiveError("Unavailable", "watch.copy", "the drive is not mounted");
    }
  }

  async *#namesIn(folder: Below): AsyncGenerator<string> {
    for await (const { name } of this.#entriesOf(this.#from(folder), reading)) yield name;
  }

  async *#entriesOf(
    path: Buffer, access: <T>(act: () => Promise<T>) => Promise<T | undefined>,
  ): AsyncGenerator<Entry> {
    const { entriesAtOnce: bufferSize } = limits.watch;
    // Where a listing tells no types Node asks for each by its path, so names are bytes as that is.
    const folder = await access(() => opendir(path, { encoding: "buffer" as never, bufferSize }));
    if (folder === undefined) return;
    try {
      // It ends early where what it comes to has just gone: that is heard of, and looked at again.
      for (let next; (next = await access(() => folder.read())); ) {
        const name = (next.name as unknown as Buffer).toString("latin1");
        yield { name, isFolder: next.isDirectory() };
      }
    } finally {
      await folder.close();
    }
  }

  #isOut(chain: readonly FolderRules[], path: Below, isFolder: boolean): boolean {
    const isOut = isIgnored(chain, path, { isFolder });
    if (isOut && isFolder && this.ignoredFolders.size < limits.watch.ignoredFoldersMax) {
      this.ignoredFolders.add(path);
    }
    return isOut;
  }

  /** Those from the root down to this folder, with its own; undefined when it is left out. */
  async #rulesOf(folder: Below): Promise<readonly FolderRules[] | undefined> {
    const chain = [await this.#rulesIn("")];
    const names = folder === "" ? [] : folder.split("/");
    for (const depth of names.keys()) {
      const path = names.slice(0, depth + 1).join("/");
      if (this.#isOut(chain, path, true)) return undefined;
      chain.push(await this.#rulesIn(path));
    }
    return chain;
  }

  async #rulesIn(folder: Below): Promise<FolderRules> {
    const texts: string[] = [];
    for (const name of ruleFiles) texts.push(await this.#ruleText(inside(folder, name)));
    return parseRules(folder, texts);
  }

  /** Without its rules a folder is backed up whole, which is the safe side. */
  async #ruleText(path: Below): Promise<string> {
    try {
      const stats = await statOf(this.#from(path));
      if (stats === undefined || !stats.isFile()) return "";
      if (stats.size > BigInt(limits.watch.ruleBytesMax)) {
        throw new HiveError("TooLarge", "watch.rules", "more rules than anybody writes");
      }
      return await readFile(this.#from(path), "latin1");
    } catch (error) {
      if (isGone(error)) return "";
      this.#report.failed(path, error instanceof Error ? error.message : textOf(path));
      return "";
    }
  }

  #from(path: Below): Buffer {
    return join(this.#places.source, path);
  }

  #to(path: Below): Buffer {
    return join(this.#places.copy, path);
  }
}

function isMissing(path: string): Promise<boolean> {
  return writing(async () => await statOf(join(path, "")) === undefined);
}

/** In `Shared` nobody makes one: what is not there was not taken up, or is not given any more. */
async function makeFolder(path: string): Promise<void> {
  try {
    await mkdir(join(path, ""));
  } catch (cause) {
    const code = codeOf(cause);
    if (code === "EEXIST") return;
    if (code !== "ENOENT" && code !== "EROFS") throw cause;
    const why = `${path} is not there and cannot be made (${code}); what is in Shared comes by ` +
      "hive accept, and there may write whom its owner lets";
    throw new HiveError("Unavailable", "watch.copy", why, { cause });
  }
}
