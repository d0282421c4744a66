/** The commands about what the drive was; see commands.ts. */
import { type CommandSpec, json } from "./spec.ts";

export const pastCommands = [
  {
    name: "snapshots",
    operands: "[PATH | create | delete TIME | keep RULE]",
    operandsMax: 2,
    summary: "list, make and let go of what the drive was",
    details:
      "The drive is kept as it was at certain moments: by default each full minute of the last " +
      "hour, each hour of a day, each day of 31 and each week of a year, as far as it changed. " +
      "`keep` sets that rule: `1m for 1h, 1h for 1d, 1d for 31d, 1w for 365d` is the default, " +
      "`none` keeps none but those that are made by `create`, which stay until `delete`. " +
      "Each is a folder that nobody can change, DIR/.snapshots/TIME in every folder DIR of the " +
      "drive, which `ls -a` does not show; what is not there now is found by its path then. With " +
      "PATH those are listed that have something there. The room of those that go is given back " +
      "by `hive gc`, or by itself within hours.",
    options: [json],
  },
  {
    name: "diff",
    operands: "TIME [TIME] [PATH]",
    operandsMax: 3,
    summary: "what changed since a snapshot, or between two",
    details:
      "Prints a line for each path: `+` it is new, `-` it is gone, `M` its bytes, its time or " +
      "other attributes are others. What was renamed is gone and new.",
    options: [json],
  },
  {
    name: "restore",
    operands: "TIME PATH",
    operandsMax: 2,
    summary: "put a file or folder back as it was",
    details:
      "What is the same already is not touched; what is replaced is kept in a snapshot that is " +
      "made first, whose name is printed. What came into a folder since stays there. No bytes " +
      "are copied: the files share the blocks that the snapshot has.",
    options: [
      { name: "to", value: "DEST", summary: "put it there instead; into DEST if that is a folder" },
      { name: "exact", summary: "take away what came into the folder since" },
      json,
    ],
  },
  {
    name: "brake",
    operands: "",
    operandsMax: 0,
    summary: "what is held back because too much was lost at once, and what to do about it",
    details:
      "When more than 30 % of the drive's files, and at least 500, are deleted or written over " +
      "within ten minutes, as by a program that holds files to ransom, nothing goes up any more: " +
      "peers keep what was before, until you say whether it was meant. `hive status` and the log " +
      "tell. Programs go on, as far as the local store has room. Files younger than ten minutes " +
      "do not count. The setting `brake` says how much is too much. Stop the program before " +
      "--undo.",
    options: [
      { name: "undo", summary: "put everything back as it was before" },
      { name: "go-on", summary: "it was meant: let it go up" },
      json,
    ],
  },
] as const satisfies readonly CommandSpec[];
