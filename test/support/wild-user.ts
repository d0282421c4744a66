/**
 * Who does to a drive's tree at random what few do, and what devices that merge may stumble over:
 * names that are long or nearly the same, times of any century, holes, devices and sockets, files
 * that become folders, and policies. What nobody may lose is written down in a DriveUser's account.
 */
import { HiveError, isFault } from "../../src/base/errors.ts";
import { type Ino, type Name, nameFromText, rootIno } from "../../src/base/ids.ts";
import { type Random, seededRandom } from "../../src/base/random.ts";
import type { Tree } from "../../src/tree/tree.ts";
import { type DriveUser, type Found, allIn } from "./drive-user.ts";
import { nobody } from "./walk.ts";

const flags = { read: true, write: true, append: false, truncate: false };
const never = new AbortController().signal;
const policies = ["home", "europe"];

/** Of them many are one for somebody who folds case, or composes letters, or cuts what is long. */
const names = [
  "n0", "n1", "N1", "n2.txt", "n2.TXT", "n3", "é", "e\u0301", "日本".repeat(40), "😀".repeat(63),
  "x".repeat(255), `${"y".repeat(251)}.txt`, `${"z".repeat(240)}.tar.gz`, `a.${"b".repeat(253)}`,
].map(nameFromText);

/** Before the epoch, at it, beyond 32 bits, and about the last that can be written in four digits. */
const times = [-5, 0, 1_000_000_000, 4_000_000_000, 2 ** 33, 253_402_300_800];
/** A pipe, a socket, and a device of either kind. */
const specialModes = [0o010644, 0o140644, 0o020644, 0o060600];

type Act = (tree: Tree) => Promise<void>;

export class WildUser {
  readonly #account: DriveUser;
  readonly #random: Random;
  #next = 0;

  constructor(seed: string, account: DriveUser) {
    this.#account = account;
    this.#random = seededRandom(`wild user ${seed}`);
  }

  /** One act, drawn at random. */
  async act(tree: Tree): Promise<void> {
    const act = this.#any<Act>([
      this.#make, this.#make, this.#link, this.#link, this.#move, this.#folder, this.#write,
      this.#tail, this.#grow, this.#becomeFolder, this.#becomeFile, this.#special, this.#time,
      this.#owner, this.#note, this.#forget, this.#govern, this.#reseal,
    ]);
    try {
      await act.call(this, tree);
    } catch (error) {
      if (!isFault(error)) throw error;
    }
  }

  /** Folders with a policy each: the device's own number says in which order it comes to know them. */
  async begin(tree: Tree, number: number): Promise<void> {
    const order = number % 2 === 0 ? policies : policies.toReversed();
    for (const policy of order) {
      const at = { parent: rootIno, name: nameFromText(`of ${policy} ${this.#next++}`) };
      const { ino } = await tree.mkdir(nobody, at, { mode: 0o755 });
      await tree.setxattr(nobody, ino, "user.hive.policy", Buffer.from(policy), "any");
    }
  }

  readonly #make: Act = async (tree) => {
    const { parent, name } = await this.#newPlace(tree);
    await this.#account.fill(tree, parent, name);
  };

  readonly #link: Act = async (tree) => {
    const { ino } = await this.#file(tree);
    await tree.link(nobody, ino, await this.#newPlace(tree));
  };

  readonly #move: Act = async (tree) => {
    const from = await this.#found(tree);
    await tree.rename(nobody, from, await this.#newPlace(tree), "noreplace");
  };

  readonly #folder: Act = async (tree) => {
    await tree.mkdir(nobody, await this.#newPlace(tree), { mode: 0o755 });
  };

  readonly #write: Act = async (tree) => {
    const { ino } = await this.#file(tree);
    await this.#account.giveUp(tree, ino, { isWrittenOver: true });
    const handle = await tree.open(nobody, ino, { ...flags, truncate: true });
    await this.#account.putWord(tree, handle);
  };

  /** Far behind the end, with a hole before it. */
  readonly #tail: Act = async (tree) => {
    const { ino } = await this.#file(tree);
    const handle = await tree.open(nobody, ino, flags);
    const offsetBytes = 1_000_000 + this.#random.below(3) * 262_144;
    await tree.write(handle, offsetBytes, Buffer.from(`tail ${this.#next++}`));
    await tree.fsync(handle);
    await tree.release(handle);
  };

  readonly #grow: Act = async (tree) => {
    const { ino } = await this.#file(tree);
    const { sizeBytes } = await tree.getattr(ino);
    const moreBytes = this.#random.below(2) * 700_000;
    await tree.setattr(nobody, ino, { sizeBytes: sizeBytes + moreBytes });
  };

  readonly #becomeFolder: Act = async (tree) => {
    const at = await this.#file(tree);
    await this.#account.giveUp(tree, at.ino);
    await tree.unlink(nobody, at);
    await tree.mkdir(nobody, at, { mode: 0o755 });
  };

  readonly #becomeFile: Act = async (tree) => {
    const at = await this.#found(tree, ({ isFolder }) => isFolder);
    await tree.rmdir(nobody, at);
    await this.#account.fill(tree, at.parent, at.name);
  };

  readonly #special: Act = async (tree) => {
    const made = { mode: this.#any(specialModes), rdev: this.#random.below(500) };
    await tree.mknod(nobody, await this.#newPlace(tree), made);
  };

  readonly #time: Act = async (tree) => {
    const { ino } = await this.#found(tree);
    const seconds = this.#any([...times, 1_700_000_000 + this.#random.below(1_000_000)]);
    await tree.setattr(nobody, ino, { mtime: { seconds, nanoseconds: this.#random.below(2) } });
  };

  readonly #owner: Act = async (tree) => {
    const { ino } = await this.#found(tree);
    const below = (bound: number): number => this.#random.below(bound);
    await tree.setattr(nobody, ino, { mode: below(0o10000), uid: below(3), gid: below(3) });
  };

  /** In the inode, or in a block of its own, or more than there is room for. */
  readonly #note: Act = async (tree) => {
    const { ino } = await this.#found(tree);
    const value = Buffer.alloc(this.#any([0, 20, 3000, 60_000]), this.#next++);
    await tree.setxattr(nobody, ino, this.#attribute(), value, "any");
  };

  readonly #forget: Act = async (tree) => {
    const { ino } = await this.#found(tree);
    await tree.removexattr(nobody, ino, this.#attribute());
  };

  readonly #govern: Act = async (tree) => {
    const { ino } = await this.#found(tree, ({ isFolder }) => isFolder);
    const policy = this.#any([...policies, undefined]);
    if (policy === undefined) await tree.removexattr(nobody, ino, "user.hive.policy");
    else await tree.setxattr(nobody, ino, "user.hive.policy", Buffer.from(policy), "any");
  };

  readonly #reseal: Act = async (tree) => {
    for (let step = 0; step < 3; step++) await tree.resealer.step(never);
  };

  #attribute(): string {
    return `user.n${this.#random.below(4)}`;
  }

  async #newPlace(tree: Tree): Promise<{ readonly parent: Ino; readonly name: Name }> {
    const folders = (await allIn(tree)).filter(({ isFolder }) => isFolder).map(({ ino }) => ino);
    const isAtTop = folders.length === 0 || this.#random.below(4) === 0;
    return { parent: isAtTop ? rootIno : this.#any(folders), name: this.#any(names) };
  }

  #file(tree: Tree): Promise<Found> {
    return this.#found(tree, ({ isFile }) => isFile);
  }

  async #found(tree: Tree, suits: (found: Found) => boolean = () => true): Promise<Found> {
    const found = (await allIn(tree)).filter(suits);
    if (found.length === 0) throw new HiveError("NotFound", "wild user", "nothing of this kind");
    return this.#any(found);
  }

  #any<T>(all: readonly T[]): T {
    return all[this.#random.below(all.length)] as T;
  }
}
