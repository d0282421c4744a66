/** `hive contacts group`: who is in which, and what each of them needs once. */
import { HiveError } from "../../base/errors.ts";
import type { GroupView } from "../../base/views/sharing.ts";
import type { Drive } from "../../hive.ts";
import { type Arguments, type ControlHandlers, askControl } from "../daemon/control.ts";
import { type ExitCode, exitCodes } from "../exits.ts";
import type { Home } from "../home/home.ts";
import { print, printJson, say, table, tell } from "../output.ts";
import type { CommandLine } from "../table/parse.ts";
import { showCode } from "../text/show-code.ts";

export async function groupCommand(home: Home, line: CommandLine): Promise<ExitCode> {
  const [, group, verb, ...people] = line.operands;
  if (verb === undefined) return list(home, line, group);
  if (group === undefined || people.length === 0) throw usage();
  if (verb === "add") return add(home, line, { group, people });
  if (verb === "remove") return remove(home, line, { group, people });
  throw usage();
}

interface Change {
  readonly group: string;
  readonly people: readonly string[];
}

async function list(
  home: Home, line: CommandLine, only: string | undefined,
): Promise<ExitCode> {
  const groups = (await ask(home, "groups")) as readonly GroupView[];
  const found = groups.filter(({ name }) => only === undefined || name === only);
  if (only !== undefined && found.length === 0) {
    throw new HiveError("NotFound", "sharing.group", only);
  }
  if (line.flag("json")) printJson(found);
  else print(table(["group", "people", "folders"], found.map(rowOf)));
  return exitCodes.ok;
}

function rowOf({ name, people, folders }: GroupView): string[] {
  return [name, people.join(", "), folders.join(", ")];
}

async function add(home: Home, line: CommandLine, change: Change): Promise<ExitCode> {
  const grants = (await ask(home, "joinGroup", { ...change })) as readonly string[];
  const given = grants.map((string, at) => ({ person: change.people[at] ?? "", string }));
  if (line.flag("json")) printJson(given);
  for (const { person, string } of given) {
    if (!line.flag("json")) {
      say(`for ${person} alone, if it was not taken up before: hive accept STRING`);
      print(string);
    }
    await showCode(line, string);
  }
  return exitCodes.ok;
}

async function remove(home: Home, line: CommandLine, change: Change): Promise<ExitCode> {
  await ask(home, "leaveGroup", { ...change });
  const who = change.people.join(", ");
  tell(line, change, `${who}: refused what was shared through ${change.group} alone, by every `
    + "holder that heard of it; hive shares tells how many did, and how far it is with what was "
    + "there");
  return exitCodes.ok;
}

export function groupHandlersOf(drive: Drive): ControlHandlers {
  const { sharing } = drive.node;
  return {
    groups: () => sharing.groups(),
    joinGroup: (asked) => sharing.join(changeIn(asked)),
    leaveGroup: (asked) => drive.leaveGroup(changeIn(asked)),
  };
}

function changeIn({ group, people }: Arguments): Change {
  return { group: String(group), people: Array.isArray(people) ? people.map(String) : [] };
}

function usage(): HiveError {
  return new HiveError("Usage", "contacts", "group [NAME [add | remove PERSON...]]");
}

function ask(home: Home, command: string, values: Arguments = {}): Promise<unknown> {
  return askControl(home.socket, command, values, say);
}
