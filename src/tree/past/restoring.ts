/**
 * Puts back what stood at a path at some moment of the past. Files of the past are made beside
 * those of now and take their names, so that whoever reads never sees half of one; their data is
 * shared by its links. What is the same already stays as it is, with its number.
 */
import { isFault } from "../../base/errors.ts";
import type { Attributes, Caller, Place } from "../../base/filesystem.ts";
import { type Ino, type Name, parseName, rootIno } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import type { RestoreReport } from "../../base/snapshots.ts";
import { fileType, isFolderMode, typeMask } from "../../dag/inodes.ts";
import { mayShare, shareFile } from "../content/reusing.ts";
import { nodeAt } from "../looking/walking.ts";
import { isSame, isSameTree, lastingXattrs, namesIn } from "./comparing.ts";
import type { Moment } from "./moment.ts";

/** A name in this directory leads elsewhere; without one, the directory has changed. */
export type Changed = (parent: Ino, name?: Name) => Promise<void>;

interface Restored {
  readonly then: Moment;
  readonly now: Moment;
  readonly before: string;
}

interface Wishes {
  readonly path: readonly string[];
  readonly to?: readonly string[];
  readonly exact: boolean;
  readonly changed: Changed;
}

const root: Caller = { uid: 0, gid: 0, pid: 0 };
const openFlags = { read: true, write: true, append: false, truncate: false, exclusive: true };

export async function restore(moments: Restored, wishes: Wishes): Promise<RestoreReport> {
  const work = new Restoring(moments, wishes);
  const { path, to = path } = wishes;
  const source = await nodeAt(moments.then.state, path);
  source.lookups++;
  await work.at(source.attributes(), to);
  return { ...work.counts, before: moments.before };
}

class Restoring {
  readonly counts = { restored: 0, removed: 0, same: 0 };
  readonly #then: Moment;
  readonly #now: Moment;
  readonly #wishes: Wishes;
  /** Files of several names that are back, by their numbers then: kept known until the end. */
  readonly #linked = new Map<Ino, Ino>();
  #temporary = 0;

  constructor({ then, now }: Restored, wishes: Wishes) {
    this.#then = then;
    this.#now = now;
    this.#wishes = wishes;
  }

  async at(source: Attributes, path: readonly string[]): Promise<void> {
    const name = path.at(-1);
    const above = await nodeAt(this.#now.state, path.slice(0, -1));
    above.lookups++;
    try {
      if (name === undefined) await this.#fillFolder(source, rootIno);
      else await this.#put(source, { parent: above.ino, name: parseName(name) });
      await this.#wishes.changed(above.ino);
    } finally {
      this.#now.files.forget(above.ino, 1);
      for (const ino of this.#linked.values()) this.#now.files.forget(ino, 1);
    }
  }

  #put(source: Attributes, at: Place): Promise<void> {
    return isFolderMode(source.mode) ? this.#putFolder(source, at) : this.#putFile(source, at);
  }

  async #putFolder(source: Attributes, at: Place): Promise<void> {
    const { files } = this.#now;
    const here = await this.#lookup(at);
    const isOther = here !== undefined && !isFolderMode(here.mode);
    if (isOther) await this.#remove(at, here);
    const isNew = here === undefined || isOther;
    const folder = isNew ? await files.mkdir(root, at, { mode: source.mode }) : here;
    if (isNew) await this.#tell(at);
    try {
      await this.#fillFolder(source, folder.ino);
    } finally {
      files.forget(folder.ino, 1);
    }
  }

  async #fillFolder(source: Attributes, ino: Ino): Promise<void> {
    const tree = this.#then.state.nodes.get(source.ino).tree;
    const isSameInside = isSameTree(tree, this.#now.state.nodes.get(ino).tree);
    if (!isSameInside) await this.#fillNames(source.ino, ino);
    await this.#dress(source, ino);
    await this.#wishes.changed(ino);
  }

  async #fillNames(from: Ino, to: Ino): Promise<void> {
    const wanted = await namesIn(this.#then.files, from);
    if (this.#wishes.exact) await this.#removeOthers(to, new Set(wanted.keys()));
    for (const [name, source] of wanted) {
      await this.#put(source, { parent: to, name });
      this.#then.files.forget(source.ino, 1);
    }
  }

  async #removeOthers(ino: Ino, wanted: ReadonlySet<Name>): Promise<void> {
    for (const [name, here] of await namesIn(this.#now.files, ino)) {
      if (wanted.has(name)) this.#now.files.forget(here.ino, 1);
      else await this.#remove({ parent: ino, name }, here);
    }
  }

  /** And lets go of it. */
  async #remove(at: Place, here: Attributes): Promise<void> {
    const { files } = this.#now;
    if (isFolderMode(here.mode)) {
      for (const [name, child] of await namesIn(files, here.ino)) {
        await this.#remove({ parent: here.ino, name }, child);
      }
      await files.rmdir(root, at);
    } else await files.unlink(root, at);
    files.forget(here.ino, 1);
    this.counts.removed++;
    await this.#tell(at);
  }

  async #putFile(source: Attributes, at: Place): Promise<void> {
    const { files } = this.#now;
    const here = await this.#lookup(at);
    if (here !== undefined && isFolderMode(here.mode)) await this.#remove(at, here);
    else if (here !== undefined) {
      const isRight = await this.#isRight(source, here);
      if (isRight) this.#remember(source, here.ino);
      else files.forget(here.ino, 1);
      if (isRight) return void this.counts.same++;
    }
    await this.#replace(source, at);
    await this.#tell(at);
  }

  /** The same, and of several names the same for each. */
  async #isRight(source: Attributes, here: Attributes): Promise<boolean> {
    const known = this.#linked.get(source.ino);
    if (known !== undefined) return known === here.ino;
    const one = { moment: this.#then, ino: source.ino };
    const isAlone = source.links === 1 && here.links === 1;
    const isItself = source.ino === here.ino;
    return (isAlone || isItself) && (await isSame(one, { moment: this.#now, ino: here.ino }));
  }

  async #replace(source: Attributes, at: Place): Promise<void> {
    const { files } = this.#now;
    const beside = { parent: at.parent, name: this.#freshName() };
    const known = this.#linked.get(source.ino);
    if (known !== undefined) files.forget((await files.link(root, known, beside)).ino, 1);
    else {
      const ino = await this.#make(source, beside);
      await this.#dress(source, ino);
      this.#remember(source, ino);
    }
    await files.rename(root, beside, at, "replace");
    this.counts.restored++;
  }

  async #make(source: Attributes, at: Place): Promise<Ino> {
    const { files } = this.#now;
    const { mode, rdev } = source;
    const type = mode & typeMask;
    if (type === fileType.symlink) {
      return (await files.symlink(root, at, await this.#then.files.readlink(source.ino))).ino;
    }
    if (type !== fileType.regular) return (await files.mknod(root, at, { mode, rdev })).ino;
    const { attributes, handle } = await files.create(root, at, { mode }, openFlags);
    await this.#fill(source, attributes.ino, handle);
    await files.release(handle);
    return attributes.ino;
  }

  async #fill(source: Attributes, ino: Ino, handle: Parameters<Moment["files"]["release"]>[0]) {
    const { state } = this.#now;
    const from = { state: this.#then.state, node: this.#then.state.nodes.get(source.ino) };
    const to = state.nodes.get(ino);
    if (mayShare(state, from, to)) return shareFile(state, from, to);
    const { files } = this.#then;
    const flags = { ...openFlags, write: false };
    const reading = await files.open(root, source.ino, flags);
    const { chunkBytes } = limits.tree;
    for (let offsetBytes = 0; offsetBytes < source.sizeBytes; offsetBytes += chunkBytes) {
      const pieces = await files.read(reading, { offsetBytes, lengthBytes: chunkBytes });
      await this.#now.files.write(handle, offsetBytes, Buffer.concat(pieces));
    }
    await files.release(reading);
  }

  /** Attributes and times, which come last. */
  async #dress(source: Attributes, ino: Ino): Promise<void> {
    const { files } = this.#now;
    const names = await lastingXattrs(this.#then.files, source.ino);
    for (const name of await lastingXattrs(files, ino)) {
      if (!names.includes(name)) await files.removexattr(root, ino, name);
    }
    for (const name of names) {
      const value = await this.#then.files.getxattr(source.ino, name);
      await this.#setXattr(ino, name, value);
    }
    const { uid, gid, atime, mtime } = source;
    const isLink = (source.mode & typeMask) === fileType.symlink;
    const mode = source.mode & ~typeMask;
    await files.setattr(root, ino, { uid, gid });
    await files.setattr(root, ino, { ...(isLink ? {} : { mode }), atime, mtime });
  }

  /** A policy that this machine does not know any more governs nothing. */
  async #setXattr(ino: Ino, name: string, value: Uint8Array): Promise<void> {
    try {
      await this.#now.files.setxattr(root, ino, name, value, "any");
    } catch (error) {
      if (!isFault(error, "Invalid")) throw error;
    }
  }

  #remember(source: Attributes, ino: Ino): void {
    const isKept = source.links > 1 && !this.#linked.has(source.ino);
    if (isKept) this.#linked.set(source.ino, ino);
    else this.#now.files.forget(ino, 1);
  }

  async #lookup(at: Place): Promise<Attributes | undefined> {
    try {
      return await this.#now.files.lookup(at);
    } catch (error) {
      if (isFault(error, "NotFound")) return undefined;
      throw error;
    }
  }

  #tell({ parent, name }: Place): Promise<void> {
    return this.#wishes.changed(parent, name);
  }

  /** Hidden, and nobody's: it stands for a moment. */
  #freshName(): Name {
    const random = this.#now.state.needs.random.bytes(8).toString("hex");
    return parseName(`.restoring-${random}-${this.#temporary++}`);
  }
}
