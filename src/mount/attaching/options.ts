/**
 * The words of `-o`, as users know them from mount(8), sshfs and gocryptfs. Pure: text in, choices
 * out. A word that we do not know is refused by name, never passed on.
 */
import { HiveError } from "../../base/errors.ts";

/** What `-o` chose; an absent field was not named. */
export interface ChosenOptions {
  readonly allowOther?: boolean;
  readonly readOnly?: boolean;
  readonly setUserId?: boolean;
  readonly devices?: boolean;
  readonly execute?: boolean;
  readonly noAtime?: boolean;
  readonly synchronous?: boolean;
  /** Mount over what the directory holds, which is hidden meanwhile. */
  readonly nonEmpty?: boolean;
  readonly fsName?: string;
  readonly maxReadBytes?: number;
}

const switches: Readonly<Record<string, ChosenOptions>> = {
  ro: { readOnly: true }, rw: { readOnly: false },
  allow_other: { allowOther: true }, nonempty: { nonEmpty: true },
  suid: { setUserId: true }, nosuid: { setUserId: false },
  dev: { devices: true }, nodev: { devices: false },
  exec: { execute: true }, noexec: { execute: false },
  // Reading moves no access time, whichever is said: it would make a new root, which goes to peers.
  atime: { noAtime: false }, relatime: { noAtime: false }, noatime: { noAtime: true },
  strictatime: {}, norelatime: {}, lazytime: {}, nolazytime: {}, diratime: {}, nodiratime: {},
  sync: { synchronous: true }, async: { synchronous: false },
  defaults: {},
  // These hold always.
  default_permissions: {}, big_writes: {},
  // For mount(8) and fstab(5), which have acted on them before we are called.
  auto: {}, noauto: {}, user: {}, nouser: {}, users: {}, owner: {}, nofail: {}, _netdev: {},
};

const valued: Readonly<Record<string, (value: string) => ChosenOptions>> = {
  fsname: (value) => ({ fsName: parseFsName(value) }),
  max_read: (value) => ({ maxReadBytes: parseMaxRead(value) }),
  // What mount(8) passes on from fstab: the type says it already.
  subtype: () => ({}),
};

/** Parses `word,word=value,...`; later words win. */
export function parseMountOptions(text: string): ChosenOptions {
  const words = text.split(",").filter((word) => word !== "" && !word.startsWith("x-"));
  return Object.assign({}, ...words.map(parseWord)) as ChosenOptions;
}

/** The name in the first column of df(1). Commas would end an option. */
export function parseFsName(text: string): string {
  const sound = /^[^,\\\0\n]{1,255}$/.test(text);
  if (sound) return text;
  throw usage(`fsname=${text}`);
}

function parseWord(word: string): ChosenOptions {
  const [name, ...rest] = word.split("=") as [string, ...string[]];
  if (rest.length === 0 && Object.hasOwn(switches, name)) return switches[name] as ChosenOptions;
  const parse = Object.hasOwn(valued, name) ? valued[name] : undefined;
  if (rest.length > 0 && parse !== undefined) return parse(rest.join("="));
  throw usage(word);
}

function parseMaxRead(text: string): number {
  const bytes = /^[0-9]{1,9}$/.test(text) ? Number(text) : 0;
  if (bytes >= 4096) return bytes;
  throw usage(`max_read=${text}`);
}

function usage(word: string): HiveError {
  return new HiveError("Usage", "mount.options", `-o ${word}`);
}
