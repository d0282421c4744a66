/** What to do next, of each fault that somebody can do something about; the first that fits. */
import type { HiveError, Kind } from "../base/errors.ts";

interface Hint {
  readonly kind?: Kind;
  /** The beginning of the fault's op, up to a dot or its end. */
  readonly op?: string;
  /** The command that failed. */
  readonly command?: string;
  readonly hint: string;
}

const hints: readonly Hint[] = [
  { op: "control.connect", command: "swarm", hint: "start one with: hive swarm start" },
  {
    op: "control.connect", command: "unmount",
    hint: "nothing is mounted; hive unmount DIR takes off what a killed daemon left there",
  },
  { op: "control.connect", hint: "start it with: hive mount" },
  {
    op: "control.command",
    hint: "no drive is mounted here but a peer runs (hive node): hive unmount, then hive mount",
  },
  {
    op: "control.silent",
    hint: "where it was killed and its mount still holds it, umount -f DIR lets it go",
  },
  { op: "mount.options", hint: "hive(1) lists the mount options" },
  {
    op: "keys", kind: "Exists",
    hint: "this machine has a drive already; another goes under another HIVE_HOME",
  },
  {
    op: "keys.gone",
    hint: "put it back from a backup, or type the drive's words: hive init --recover",
  },
  {
    op: "keyfile", kind: "Corrupt",
    hint: "put it back from a backup; or move it away and type the drive's words: " +
      "hive init --recover",
  },
  { op: "keyfile", kind: "Denied", hint: "the passphrase is wrong" },
  { op: "mount.unmount", kind: "Busy", hint: "close what uses it, or: hive unmount --lazy" },
  { op: "mount.directory", kind: "Busy", hint: "something is mounted there: name another one" },
  {
    op: "mount.fuse-native", kind: "Unsupported",
    hint: "it needs libfuse 2: on Debian and Ubuntu, apt install libfuse2",
  },
  {
    op: "mount.taken-off",
    hint: "it was unmounted while programs had files open there: close them, then mount it again",
  },
  { op: "mount.node", hint: "hive unmount ends it: a mounted drive keeps shards for others, too" },
  { op: "mount", kind: "Busy", hint: "hive unmount ends that mount" },
  ...["mount.attach", "mount.helper", "mount.kernel"].map((op): Hint => ({
    op, hint: "hive doctor tells what this machine and this user need to mount anything",
  })),
  { op: "mount", kind: "NotDirectory", hint: "name an empty directory" },
  { kind: "NotEmpty", hint: "use an empty directory, or -o nonempty" },
  {
    op: "transfer.reclaim", kind: "Unsupported",
    hint: "hive device list and hive shares tell whose; " +
      "hive device forget says that a device is gone for good",
  },
  ...["transfer.doubt", "drive.doubt"].map((op): Hint => ({
    op, hint: "what they lost is learned from peers: hive status tells what that waits for",
  })),
  { op: "policy.read", hint: "name a file with a policy in it" },
  { op: "policy", kind: "NotFound", hint: "hive policy list tells which there are" },
  { op: "policy", kind: "Invalid", hint: "hive-policy(5) tells what may stand there" },
  {
    op: "policy", kind: "Unavailable",
    hint: "hive policy explain counts whom each clause leaves",
  },
  {
    op: "tree.lacking",
    hint: "they are safe here, and go up once a peer has it; if none ever has, as hive verify " +
      "PATH tells, rewrite or remove the file (hive status names all such files)",
  },
  { op: "tree.snapshot", kind: "NotFound", hint: "hive snapshots lists those that are kept" },
  { op: "sharing.contact", kind: "NotFound", hint: "hive contacts lists them" },
  { op: "sharing.contact", kind: "Busy", hint: "hive contacts group NAME remove takes her out" },
  { op: "sharing.shared", kind: "Busy", hint: "hive revoke shuts out who is in it" },
  {
    op: "sharing.accept", kind: "Exists",
    hint: "it is in Shared by that name; hive shares forget NAME lets go of it",
  },
  {
    op: "sharing.words",
    hint: "do it on a device that has the words: hive device list tells which; Shared is read here",
  },
  { op: "sharing.folder", hint: "folders are shared, not files: name the one that it is in" },
  { op: "peers.network-key", hint: "hive init or hive node --private-network makes one" },
  { op: "sharing.group", kind: "NotFound", hint: "hive contacts group lists them" },
  { op: "sharing.person", kind: "Invalid", hint: "hive contacts me prints it, on her machine" },
  {
    op: "sharing.grant", kind: "Invalid",
    hint: "hive share or hive link prints it, on its owner's machine",
  },
  { op: "sharing.self", hint: "add hers: hive contacts me prints it, on her machine" },
  { op: "ward.verify", kind: "NotFound", hint: "hive shares lists them" },
  { op: "sharing.forget", kind: "NotFound", hint: "hive shares lists them" },
  { op: "places.vouch", kind: "Invalid", hint: "hive peers lists them" },
  { op: "device.removed", hint: "hive mount -o ro reads what is here; copy what peers lack" },
  { op: "device.which", hint: "hive device list tells which there are" },
  {
    op: "peers.join", kind: "Invalid",
    hint: "give it to somebody else, whose machine takes it: hive join",
  },
  { op: "peers.invite", kind: "Invalid", hint: "hive invite prints one, on the other machine" },
  { op: "unixfs.place", command: "publish", kind: "Exists", hint: "--force replaces a file" },
  {
    op: "unixfs.place", kind: "NoSpace",
    hint: "nothing of it is left there; make room, or name another place: in the drive, " +
      "hive status tells what it waits for",
  },
  { op: "import.held", hint: "if you trust whoever made it: --limit" },
  { op: "fsck", kind: "Busy", hint: "hive unmount ends it; then run hive fsck again" },
  {
    op: "cache.format",
    hint: "a later version of hive wrote it, and nothing of it was touched: run that version",
  },
  { op: "cache.open", kind: "Busy", hint: "a daemon has it open; hive unmount ends that" },
  { op: "home", kind: "NotDirectory", hint: "a file has that name, or one on the way to it" },
  {
    op: "cache.put", kind: "NoSpace",
    hint: "no peer has it yet: delete files, let peers join, free some of the disk, or raise " +
      "the limit with hive cache --limit",
  },
  {
    op: "cache.clone", kind: "NoSpace",
    hint: "to look takes room for a copy of the journal, there or in $TMPDIR; " +
      "hive fsck --repair mends in place",
  },
  ...["cache", "fsck", "home"].flatMap((op): Hint[] => [
    {
      op, kind: "NoSpace",
      hint: "free some of that disk, then try again; what was kept before is safe",
    },
    ...(["ReadOnly", "Denied"] as const).map((kind) => ({
      op, kind, hint: "make it writable (mount -o remount,rw; chmod u+rwx), then try again",
    })),
    {
      op, kind: "Stale",
      hint: "the local store was deleted; hive mount brings back what peers have",
    },
  ]),
  {
    op: "drive.gone",
    hint: "hive mount tries again, once peers are there; by way of another peer: move the key " +
      "file away, then hive recover --peer ADDRESS with the drive's words",
  },
  {
    op: "drive.store",
    hint: "move it away, and hive mount brings back what peers have; it stays as it is there",
  },
  ...["cache", "dag", "drive", "tree"].map((op): Hint => ({
    op, kind: "Corrupt",
    hint: "hive fsck tells what is damaged, and hive fsck --repair mends what it can",
  })),
];

export function hintOf(fault: HiveError, command: string | undefined): string | undefined {
  const found = hints.find((one) => {
    const isOp = one.op === undefined || `${fault.op}.`.startsWith(`${one.op}.`);
    const isKind = one.kind === undefined || one.kind === fault.kind;
    return isOp && isKind && (one.command === undefined || one.command === command);
  });
  if (found !== undefined || fault.kind !== "Usage") return found?.hint;
  return `see hive ${command === undefined ? "" : `${command} `}--help`;
}
