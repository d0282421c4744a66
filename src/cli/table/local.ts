/**
 * A part of the table of commands (commands.ts): those about what is on this machine, be it what of
 * the drive stays here, or what from here goes into the drive.
 */
import { type CommandSpec, json } from "./spec.ts";

export const localCommands = [
  {
    name: "cache",
    operands: "",
    operandsMax: 0,
    summary: "show, limit or empty the local store",
    details: "Data that no peer has yet is never dropped, nor is what is pinned.",
    options: [
      { name: "limit", value: "BYTES", summary: "keep at most this much (512M, 4G)" },
      { name: "drop", summary: "forget everything that peers have" },
      json,
    ],
  },
  {
    name: "gc",
    operands: "",
    operandsMax: 0,
    summary: "give back the room that deleted files take on peers",
    details:
      "Uploads what is new, looks at all that the drive and its snapshots refer to, and has " +
      "peers drop the rest; what they keep besides is packed anew where less than 60 % of it is " +
      "needed. The daemon does so by itself, every hour at most.",
    options: [{ name: "timeout", value: "SECONDS", summary: "give up after this long" }, json],
  },
  {
    name: "pin",
    operands: "[PATH]",
    operandsMax: 1,
    summary: "keep a file or folder on this machine, with all that comes into it later",
    details:
      "Fetches what is not here, tells how far that is, and ends when all of it is; " +
      "interrupted, it goes on in the background. From then on it can be read without a network, " +
      "and is never given up for the sake of room; so are the names on the way to it. A pin goes " +
      "with what is renamed or moved. It is this machine's own: other machines of the drive do " +
      "not have it, nor does one that is recovered. Any program may set it, too, as the extended " +
      "attribute user.hive.pinned, to 1, or to 0 for a part of a pinned folder that is left out. " +
      "Pins may take three quarters of the local store: what would not fit is refused (exit " +
      "code 6) with the figures, and what grows beyond it is told by `hive status`.",
    options: [
      { name: "list", summary: "show what is pinned, and how much of it is here" },
      { name: "no-wait", summary: "do not wait until it is here" },
      json,
    ],
  },
  {
    name: "unpin",
    operands: "PATH",
    operandsMax: 1,
    summary: "let a file or folder leave this machine again when room is needed",
    details:
      "Below a pinned folder it leaves out this part. What is pinned by itself below PATH stays " +
      "so.",
    options: [],
  },
  {
    name: "watch",
    operands: "[DIR]",
    operandsMax: 1,
    summary: "back a folder up into the drive for as long as it is mounted",
    details:
      "Copies DIR into a folder of the drive, tells how far that is, and then goes on with what " +
      "changes there, a moment later, at every mount until it is stopped. Modes, times (to the " +
      "microsecond), symlinks, holes and extended attributes are kept, owners if root does it; " +
      "of several names of one file each gets a copy; sockets, pipes and devices are left out, " +
      "and what is called .snapshots or .trash, which are the drive's own names. A " +
      "copy is written beside its place and renamed; a file that changes meanwhile is copied " +
      "again. What the rules in .gitignore and .hiveignore of any folder leave out is not looked " +
      "at. What is deleted or renamed in DIR stays in the copy under its old name, as a backup " +
      "should have it; with --delete it leaves the copy, too, unless DIR is missing or empty, or " +
      "goes while it is looked at. A " +
      "folder that is, holds or lies in the mount or the drive's own state is refused.",
    options: [
      { name: "into", value: "PATH", summary: "the folder in the drive, made if it is not there" },
      { name: "delete", summary: "delete in the copy what is deleted in DIR" },
      { name: "list", summary: "show what is watched, and how far each is" },
      { name: "stop", value: "DIR", summary: "watch it no more; the copy stays" },
      { name: "no-wait", summary: "do not wait until all of it was looked at" },
      json,
      { name: "run", summary: "be the process that copies", hidden: true },
    ],
  },
] as const satisfies readonly CommandSpec[];
