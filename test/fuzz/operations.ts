/**
 * Random file-system operations from a seed, as lines for player.c. They meet in few places, so
 * that most of them find something there. Lines that begin with `!` are for the daemon.
 */
import { constants } from "node:fs";
import { type Random, seededRandom } from "../../src/base/random.ts";

const { O_RDONLY, O_WRONLY, O_RDWR, O_CREAT, O_EXCL, O_TRUNC, O_APPEND } = constants;
const directories = ["a", "a/b", "c", "a/b/e"] as const;
const names = [
  "f0", "f1", "f2", "f3", "f4", "b", "e", "sub", "with space", "\u00e4\u{1f41d}", "L".repeat(255),
] as const;
const chunk = 256 * 1024;
const users = [0, 0, 0, 0, 1000] as const;
const modes = [0o644, 0o600, 0o666, 0o755, 0o4755, 0o2755, 0o6777, 0o2644, 0o400, 0] as const;
const folderModes = [0o755, 0o777, 0o1777, 0o2775, 0o700] as const;
const nodeModes = [0o010644, 0o140755, 0o020666] as const;
/** Not -1 for both: the kernel does not tell us of it, and set-user-id bits stay. */
const owners = [[0, 0], [1000, 1000], [1001, -1], [-1, 1000], [-1, 0], [0, 1001]] as const;
const attributes = ["user.a", "user.b", "user.long", "trusted.t"] as const;
const lists = ["system.posix_acl_access", "system.posix_acl_default"] as const;
const openFlags = [
  O_RDWR, O_RDWR, O_RDWR | O_CREAT, O_RDWR | O_CREAT | O_EXCL, O_RDWR | O_TRUNC, O_RDONLY,
  O_WRONLY | O_APPEND | O_CREAT, O_RDWR | O_APPEND,
] as const;

type Make = (random: Random) => readonly (string | number)[];

function one<T>(random: Random, of: readonly T[]): T {
  return of[random.below(of.length)] as T;
}

type Place = (random: Random) => string;

const anywhere: Place = (random) => {
  const at = random.below(10);
  if (at === 0) return one(random, directories);
  const folder = at < 4 ? "" : `${one(random, directories)}/`;
  return folder + one(random, names);
};

const offset = (random: Random): number => {
  const near = one(random, [0, 0, 0, chunk, 2 * chunk, 4 * chunk]);
  return Math.max(0, near + random.below(9000) - (near > 0 ? 4500 : 0));
};

const length = (random: Random): number => {
  if (random.below(12) === 0) return random.below(3 * chunk);
  return random.below(3) === 0 ? random.below(60) : random.below(9000);
};

const slot = (random: Random): number => random.below(8);
const seed = (random: Random): number => random.below(1e9);
const bytes = (random: Random) => [offset(random), length(random), seed(random)] as const;
/** For O_DIRECT: an offset and a length of 4 KiB pages. */
const pages = (random: Random) =>
  [one(random, [0, 64, 128]) + random.below(4), 1 + random.below(random.below(80) + 1)] as const;
const moment = (random: Random): readonly number[] => {
  const given = [random.below(1e9) - 1e8, random.below(1e9)];
  return one(random, [given, given, [0, -1], [0, -2]]);
};
/** Extend, keep size, punch, zero, zero and keep size. */
const allocation = (random: Random) =>
  [one(random, [0, 1, 3, 3, 16, 17]), offset(random), 1 + length(random)] as const;
const range = (random: Random): number => one(random, [offset(random), chunk, 0]);

type Kinds = readonly (readonly [weight: number, make: Make])[];

/** What programs do with the bytes of files. */
const dataKinds = (place: Place): Kinds => [
  [6, (r) => ["create", place(r), one(r, [0, O_EXCL, O_TRUNC])]],
  [10, (r) => ["write", place(r), ...bytes(r)]],
  [3, (r) => ["append", place(r), length(r), seed(r)]],
  [4, (r) => ["read", place(r), offset(r), length(r)]],
  [2, (r) => ["direct-write", place(r), ...pages(r), seed(r)]],
  [1, (r) => ["direct-read", place(r), ...pages(r)]],
  [3, (r) => ["map", place(r), ...bytes(r), r.below(2)]],
  [2, (r) => ["seek", place(r), offset(r)]],
  [4, (r) => ["fallocate", place(r), ...allocation(r)]],
  [4, (r) => ["truncate", place(r), one(r, [0, offset(r), offset(r), length(r)])]],
  [3, (r) => ["copy", place(r), place(r), range(r), range(r), one(r, [length(r), chunk, 1 << 20])]],
  [5, (r) => ["open", slot(r), place(r), one(r, openFlags)]],
  [2, (r) => ["close", slot(r)]],
  [6, (r) => ["s-write", slot(r), ...bytes(r)]],
  [3, (r) => ["s-append", slot(r), length(r), seed(r)]],
  [3, (r) => ["s-read", slot(r), offset(r), length(r)]],
  [2, (r) => ["s-truncate", slot(r), one(r, [0, offset(r), length(r)])]],
  [2, (r) => ["s-fallocate", slot(r), ...allocation(r)]],
  [2, (r) => ["s-fsync", slot(r), r.below(2)]],
  [2, (r) => ["s-lock", slot(r), r.below(3), r.below(20), r.below(10), one(r, [0, 0, 1])]],
  [1, (r) => ["s-flock", slot(r), r.below(3)]],
  [1, (r) => ["fsync", place(r), r.below(2)]],
];

/** And with names and attributes. */
const nameKinds = (place: Place): Kinds => [
  [4, (r) => ["mkdir", place(r), one(r, folderModes)]],
  [2, (r) => ["rmdir", place(r)]],
  [4, (r) => ["unlink", place(r)]],
  [2, (r) => ["symlink", place(r), one(r, [place(r), place(r), "x".repeat(1 + r.below(4094))])]],
  [4, (r) => ["link", place(r), place(r)]],
  [8, (r) => ["rename", place(r), place(r), one(r, [0, 0, 0, 1, 2])]],
  [1, (r) => ["mknod", place(r), one(r, nodeModes), 0x103]],
  [3, (r) => ["chmod", place(r), one(r, modes)]],
  [2, (r) => ["chmod", one(r, directories), one(r, folderModes)]],
  [2, (r) => ["chown", place(r), ...one(r, owners)]],
  [2, (r) => ["utimens", place(r), ...moment(r), ...moment(r)]],
  [3, (r) => ["setxattr", place(r), one(r, attributes), r.below(r.below(700) + 1), seed(r),
    one(r, [0, 0, 1, 2])]],
  [1, (r) => ["setxattr", place(r), one(r, lists), 0, r.below(1 << 21), 0]],
  [1, (r) => ["removexattr", place(r), one(r, [...attributes, ...lists])]],
  [2, (r) => ["list", one(r, [".", ...directories])]],
  [1, (r) => ["tmpfile", slot(r), one(r, [".", ...directories])]],
  [1, (r) => ["name", slot(r), place(r)]],
];

const rare: readonly (readonly [every: number, line: string])[] = [
  [400, "!drop"], [300, "!commit"], [4000, "!remount"], [4000, "!kill"], [4000, "!crash"],
];

export type Profile = "all" | "data";

/** "data" is one file with all its ways to change, and another to copy from and to. */
const kindsOf: Readonly<Record<Profile, Kinds>> = {
  all: [...dataKinds(anywhere), ...nameKinds(anywhere)],
  data: dataKinds((random) => one(random, ["a/one", "a/one", "a/one", "a/other"])),
};

function operation(random: Random, kinds: Kinds): string {
  for (const [every, line] of rare) if (random.below(every) === 0) return line;
  let at = random.below(kinds.reduce((sum, [weight]) => sum + weight, 0));
  const found = kinds.find(([weight]) => (at -= weight) < 0) as Kinds[number];
  return [one(random, users), ...found[1](random)].join("\t");
}

/** Paths where the operations may have put something. */
export function somePlaces(seedOf: string, count: number): readonly string[] {
  const random = seededRandom(seedOf);
  return Array.from({ length: count }, () => anywhere(random));
}

/** The folders that the operations meet in come first. */
export const opening: readonly string[] = directories.map((path) => `0\tmkdir\t${path}\t${0o777}`);

export function* operationsOf(
  seedOf: string, count: number, profile: Profile,
): Generator<string> {
  const random = seededRandom(seedOf);
  for (let index = 0; index < count; index++) yield operation(random, kindsOf[profile]);
}
