/** From words to an exit code: finds the command, parses its line, runs it, reports a fault. */
import { HiveError, unreachable } from "../base/errors.ts";
import * as drive from "./commands/drive.ts";
import { type ExitCode, exitCodeOf, exitCodes } from "./exits.ts";
import { findHome } from "./home/home.ts";
import { print, sayFault } from "./output.ts";
import { type Command, commands, findCommand } from "./table/commands.ts";
import { commandHelp, overview } from "./table/help.ts";
import { nearest } from "./table/nearest.ts";
import { type CommandLine, parseCommandLine } from "./table/parse.ts";
import { version } from "./version.ts";

export async function runCommand(words: readonly string[]): Promise<ExitCode> {
  const [name, ...rest] = words;
  try {
    if (name === undefined || name === "help" || name === "--help" || name === "-h") {
      print(rest[0] === undefined ? overview() : commandHelp(commandOf(rest[0])));
      return name === undefined ? exitCodes.usage : exitCodes.ok;
    }
    if (name === "--version" || name === "version") {
      print(`hive ${version()}`);
      return exitCodes.ok;
    }
    const command = commandOf(name);
    if (rest.includes("--help") || rest.includes("-h")) {
      print(commandHelp(command));
      return exitCodes.ok;
    }
    return await dispatch(command, parseCommandLine(command, rest));
  } catch (error) {
    sayFault(error, findCommand(name ?? "")?.name);
    return exitCodeOf(error);
  }
}

/**
 * Long-running commands answer when they end. Only those that build a drive or a node load the
 * rooms for it: the others ask a daemon, and need not wait for a network library to load.
 */
async function dispatch({ name }: Command, line: CommandLine): Promise<ExitCode> {
  const home = findHome();
  switch (name) {
    case "init":
    case "recover":
    case "doctor":
    case "node":
      return (await import("./commands/setup.ts"))[name](home, line);
    case "mount":
      return (await import("./commands/mount.ts")).mountCommand(home, line);
    case "unmount":
    case "status":
    case "flush":
    case "gc":
    case "cache":
      return drive[name](home, line);
    case "pin":
    case "unpin":
      return (await import("./commands/pin.ts"))[name](home, line);
    case "watch":
      return (await import("./commands/watch.ts")).watch(home, line);
    case "limit":
    case "pause":
    case "resume":
      return (await import("./commands/traffic.ts"))[name](home, line);
    case "verify":
      return drive.verify(home, line);
    case "fsck":
      return (await import("./commands/fsck.ts")).fsck(home, line);
    case "peers":
      return drive.peers(home, line);
    case "ledger":
      return (await import("./commands/ledger.ts")).ledger(home, line);
    case "policy":
      return (await import("./commands/policy.ts")).policyCommand(home, line);
    case "quota":
      return (await import("./commands/quota.ts")).quota(home, line);
    case "device":
      return (await import("./commands/device.ts")).device(home, line);
    case "leave":
      return (await import("./commands/leave.ts")).leave(home, line);
    case "snapshots":
    case "diff":
    case "restore":
    case "brake":
      return (await import("./commands/snapshots.ts"))[name](home, line);
    case "web":
      return drive.web(home);
    case "invite":
      return drive.invite(home, line);
    case "join":
      return drive.join(home, line);
    case "contacts":
    case "share":
    case "link":
    case "shares":
    case "accept":
    case "revoke":
      return (await import("./commands/sharing.ts"))[name](home, line);
    case "publish":
      return (await import("./commands/ipfs.ts")).publishCommand(line);
    case "import":
      return (await import("./commands/ipfs.ts")).importCommand(line);
    case "swarm":
      return (await import("./commands/swarm.ts")).swarmCommand(home, line);
    default:
      return unreachable(name);
  }
}

function commandOf(name: string): Command {
  const command = findCommand(name);
  if (command !== undefined) return command;
  const near = nearest(name, commands.map((one) => one.name));
  const meant = near === undefined ? "" : `; did you mean ${near}?`;
  throw new HiveError("Usage", "hive", `no command ${name}${meant}`);
}

