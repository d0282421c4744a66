/**
 * A part of the table of commands (commands.ts): those about what is on this machine, be it what of
 * the drive stays here, or what from here goes into the drive.
 */
import type { CommandSpec, OptionSpec } from "./commands.ts";

const json: OptionSpec = { name: "json", summary: "print one JSON object for programs" };

export const localCommands: readonly CommandSpec[] = [
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
];
