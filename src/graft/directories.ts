/**
 * The directories that hold grafts: they are in no tree, anybody may read them, and nobody may
 * change them. Each is made when it is looked up first, and forgotten with its last look-up.
 */
import { HiveError } from "../base/errors.ts";
import type { Attributes, DirectoryItem, FileSystem, Instant, Place } from "../base/filesystem.ts";
import { type GraftItem, type GraftNotices, type GraftPoint, directoryType }
  from "../base/grafts.ts";
import { type Handle, type Ino, type Name, parseHandle } from "../base/ids.ts";
import { type Maybe, then } from "../base/step.ts";
import { Span } from "./numbers.ts";

const firstNameCookie = 3;

interface Directory extends Disposable {
  readonly ino: Ino;
  readonly above: Ino;
  readonly name: Name;
  readonly point: GraftPoint;
  lookups: number;
  changedAtMs: number;
}

interface Listing {
  readonly directory: Directory;
  readonly items: readonly GraftItem[];
}

export interface DirectoriesNeeds {
  readonly now: () => number;
  readonly uid: number;
  readonly gid: number;
  readonly enter: (point: GraftPoint, directory: Ino, name: Name) => Promise<Attributes>;
  readonly divert: (directory: Ino, name: Name) => void;
}

export class GraftDirectories {
  /** Who hears of changes: nobody before there is a mount. */
  notices: GraftNotices | undefined;
  readonly #needs: DirectoriesNeeds;
  readonly #span = new Span(0);
  readonly #byPlace = new Map<string, Directory>();
  readonly #byIno = new Map<Ino, Directory>();
  readonly #listings = new Map<Handle, Listing>();
  #last = 0;

  constructor(needs: DirectoriesNeeds) {
    this.#needs = needs;
  }

  /** A look-up of the directory at a place where no tree has an entry. */
  enter({ parent, name }: Place, point: () => GraftPoint): Attributes {
    const place = `${parent}/${name}`;
    const directory = this.#byPlace.get(place) ?? this.#make(place, { parent, name }, point());
    directory.lookups++;
    return this.#attributes(directory);
  }

  /** Asked for each name that is removed or moved: as a rule there are none, and no key is made. */
  knows({ parent, name }: Place): boolean {
    return this.#byPlace.size > 0 && this.#byPlace.has(`${parent}/${name}`);
  }

  forget = (ino: Ino, lookups: number): void => {
    const directory = this.#byIno.get(ino);
    if (directory === undefined) return;
    directory.lookups -= lookups;
    if (directory.lookups > 0) return;
    this.#byIno.delete(ino);
    this.#byPlace.delete(`${directory.above}/${directory.name}`);
    directory[Symbol.dispose]();
  };

  lookup = ({ parent, name }: Place): Promise<Attributes> => {
    const { point, ino } = this.#get(parent);
    return this.#needs.enter(point, ino, name);
  };

  getattr = (ino: Ino): Attributes => this.#attributes(this.#get(ino));

  opendir = (ino: Ino): Maybe<Handle> => {
    const directory = this.#get(ino);
    return then(directory.point.items(), (items) => {
      const handle = this.#span.outerHandle(parseHandle(++this.#last));
      this.#listings.set(handle, { directory, items });
      return handle;
    });
  };

  readdir: FileSystem["readdir"] = (handle, { afterCookie }, emit) => {
    const listing = this.#listings.get(handle);
    if (listing === undefined) throw new HiveError("BadHandle", "graft.readdir", `${handle}`);
    for (const item of itemsOf(listing)) if (item.cookie > afterCookie && !emit(item)) return;
  };

  releasedir = (handle: Handle): void => void this.#listings.delete(handle);

  [Symbol.dispose](): void {
    for (const directory of this.#byIno.values()) directory[Symbol.dispose]();
  }

  #make(place: string, at: Place, point: GraftPoint): Directory {
    const ino = this.#span.outer(++this.#last as Ino);
    const watching = point.watch((name) => this.#changed(directory, name));
    const directory = {
      ino, above: at.parent, name: at.name, point, lookups: 0, changedAtMs: this.#needs.now(),
      [Symbol.dispose]: () => watching[Symbol.dispose](),
    };
    this.#byPlace.set(place, directory);
    this.#byIno.set(ino, directory);
    return directory;
  }

  #changed(directory: Directory, name: Name): void {
    directory.changedAtMs = this.#needs.now();
    this.#needs.divert(directory.ino, name);
    void this.notices?.invalidateEntry(directory.ino, name);
    void this.notices?.invalidateInode(directory.ino);
  }

  #get(ino: Ino): Directory {
    const directory = this.#byIno.get(ino);
    if (directory === undefined) throw new HiveError("Stale", "graft.directory", `${ino}`);
    return directory;
  }

  #attributes({ ino, changedAtMs }: Directory): Attributes {
    const at = instantOf(changedAtMs);
    return {
      ino, mode: directoryType | 0o555, links: 2, uid: this.#needs.uid, gid: this.#needs.gid,
      rdev: 0, sizeBytes: 0, blocks: 0, atime: at, mtime: at, ctime: at, btime: at,
    };
  }
}

/** Without attributes: a tree is opened when somebody asks for it, not when it is listed. */
function* itemsOf({ directory, items }: Listing): Generator<DirectoryItem> {
  const { ino, above } = directory;
  yield { name: ".", ino, type: directoryType, cookie: 1 };
  yield { name: "..", ino: above, type: directoryType, cookie: 2 };
  for (const [index, { name, type }] of items.entries()) {
    yield { name, ino, type, cookie: firstNameCookie + index };
  }
}

function instantOf(ms: number): Instant {
  const seconds = Math.floor(ms / 1000);
  return { seconds, nanoseconds: Math.floor((ms - seconds * 1000) * 1e6) };
}
