/**
 * Every command, option and operand, once: the parser, `--help` and hive(1) are made from this
 * table, and run.ts does not compile while one of its names leads nowhere. Summaries are lower case
 * and without a full stop, as Unix tools speak.
 */
import { deviceCommand } from "./devices.ts";
import { driveCommands } from "./drive.ts";
import { ipfsCommands } from "./ipfs.ts";
import { localCommands } from "./local.ts";
import { pastCommands } from "./past.ts";
import { peerCommands } from "./peers.ts";
import { safetyCommands } from "./safety.ts";
import { sharingCommands } from "./sharing.ts";
import type { CommandSpec } from "./spec.ts";
import { swarmCommands } from "./swarm.ts";
import { trafficCommands } from "./traffic.ts";

/** As `hive --help` shows them: what a newcomer asks first comes first. */
export const commandGroups = [
  { about: "the drive", commands: driveCommands },
  { about: "how safe it is", commands: safetyCommands },
  { about: "what it was", commands: pastCommands },
  { about: "who reads it", commands: sharingCommands },
  { about: "public IPFS", commands: ipfsCommands },
  { about: "this machine", commands: [...localCommands, ...trafficCommands, deviceCommand] },
  { about: "other machines", commands: peerCommands },
  { about: "to try things", commands: swarmCommands },
] as const;

export type CommandName = (typeof commandGroups)[number]["commands"][number]["name"];

/** One of the table. */
export interface Command extends CommandSpec {
  readonly name: CommandName;
}

export const commands = commandGroups.flatMap<Command>(({ commands }) => commands);

export function findCommand(name: string): Command | undefined {
  return commands.find((command) => command.name === name);
}
