/** From words to an exit code: finds the command, parses its line, runs it, reports a fault. */
import { readFileSync } from "node:fs";
import { HiveError, unreachable } from "../base/errors.ts";
import { type CommandSpec, findCommand } from "./commands.ts";
import * as drive from "./drive-commands.ts";
import { type ExitCode, exitCodeOf, exitCodes } from "./exits.ts";
import { commandHelp, overview } from "./help.ts";
import { findHome } from "./home.ts";
import { mountCommand } from "./mount-command.ts";
import { print, sayFault } from "./output.ts";
import { type CommandLine, parseCommandLine } from "./parse.ts";
import * as setup from "./setup-commands.ts";
import { swarmCommand } from "./swarm-command.ts";

export async function runCommand(words: readonly string[]): Promise<ExitCode> {
  try {
    const [name, ...rest] = words;
    if (name === undefined || name === "help" || name === "--help" || name === "-h") {
      print(helpFor(rest[0]));
      return name === undefined ? exitCodes.usage : exitCodes.ok;
    }
    if (name === "--version" || name === "version") {
      print(`hive ${version()}`);
      return exitCodes.ok;
    }
    const command = findCommand(name);
    if (command === undefined) throw new HiveError("Usage", "hive", `no command ${name}`);
    if (rest.includes("--help") || rest.includes("-h")) {
      print(commandHelp(command));
      return exitCodes.ok;
    }
    return await dispatch(command, parseCommandLine(command, rest));
  } catch (error) {
    sayFault(error);
    return exitCodeOf(error);
  }
}

/** Long-running commands answer when they end. */
async function dispatch(command: CommandSpec, line: CommandLine): Promise<ExitCode> {
  const home = findHome();
  const name = command.name as CommandName;
  switch (name) {
    case "init":
      return setup.init(home, line);
    case "recover":
      return setup.recover(home, line);
    case "doctor":
      return setup.doctor(home, line);
    case "node":
      return setup.node(home, line);
    case "mount":
      return mountCommand(home, line);
    case "unmount":
      return drive.unmount(home, line);
    case "status":
      return drive.status(home, line);
    case "flush":
      return drive.flush(home, line);
    case "cache":
      return drive.cache(home, line);
    case "verify":
      return drive.verify(home, line);
    case "peers":
      return drive.peers(home, line);
    case "invite":
      return drive.invite(home);
    case "join":
      return drive.join(home, line);
    case "swarm":
      return swarmCommand(home, line);
    default:
      return unreachable(name);
  }
}

type CommandName =
  | "init"
  | "recover"
  | "doctor"
  | "node"
  | "mount"
  | "unmount"
  | "status"
  | "flush"
  | "cache"
  | "verify"
  | "peers"
  | "invite"
  | "join"
  | "swarm";

function helpFor(name: string | undefined): string {
  const command = name === undefined ? undefined : findCommand(name);
  return command === undefined ? overview() : commandHelp(command);
}

function version(): string {
  const file = new URL("../../package.json", import.meta.url);
  return (JSON.parse(readFileSync(file, "utf8")) as { version: string }).version;
}
