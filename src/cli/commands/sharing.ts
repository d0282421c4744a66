/** People and shared folders: the commands that ask the daemon of a mounted drive about them. */
import { systemClock } from "../../base/clock.ts";
import { HiveError, unreachable } from "../../base/errors.ts";
import { type Accepted, type Capability, capabilities } from "../../base/sharing.ts";
import type { ContactView, SharesView } from "../../base/views/sharing.ts";
import { type Drive, type RevokeWish, type Revoked, isLink, linkNeedsPassphrase }
  from "../../hive.ts";
import { type Arguments, type ControlHandlers, askControl } from "../daemon/control.ts";
import { insideDrive, namesOf } from "../daemon/inside-mount.ts";
import { type ExitCode, exitCodes } from "../exits.ts";
import type { Home } from "../home/home.ts";
import { obtainPassphrase } from "../home/keys.ts";
import { secretOperand } from "../home/secret-line.ts";
import { print, printJson, say, table, tell } from "../output.ts";
import type { CommandLine } from "../table/parse.ts";
import { sharesText } from "../text/shares.ts";
import { showCode } from "../text/show-code.ts";
import { groupCommand, groupHandlersOf } from "./groups.ts";

export async function contacts(home: Home, line: CommandLine): Promise<ExitCode> {
  const [word, name, text, ...more] = line.operands;
  if (word === "group") return groupCommand(home, line);
  if (more.length > 0) throw contactsUsage();
  if (word === undefined) return listContacts(home, line);
  if (word === "me" && name === undefined) return me(home, line);
  if (word === "add" && name !== undefined && text !== undefined) {
    const added = (await ask(home, "addContact", { name, text })) as ContactView;
    tell(line, added, `${name} is ${added.person.slice(0, 16)}`);
    return exitCodes.ok;
  }
  if (word === "remove" && name !== undefined && text === undefined) {
    await ask(home, "removeContact", { name });
    tell(line, { name });
    return exitCodes.ok;
  }
  throw contactsUsage();
}

function contactsUsage(): HiveError {
  return new HiveError("Usage", "contacts", "[me | add NAME STRING | remove NAME | group ...]");
}

async function listContacts(home: Home, line: CommandLine): Promise<ExitCode> {
  const found = (await ask(home, "contacts")) as readonly ContactView[];
  if (line.flag("json")) printJson(found);
  else print(table(["name", "person"], found.map(({ name, person }) => [name, person])));
  return exitCodes.ok;
}

/** The string alone goes to standard output; the code for a camera to whoever looks. */
async function me(home: Home, line: CommandLine): Promise<ExitCode> {
  const text = String(await ask(home, "me"));
  if (line.flag("json")) printJson({ string: text });
  else print(text);
  await showCode(line, text);
  return exitCodes.ok;
}

export async function share(home: Home, line: CommandLine): Promise<ExitCode> {
  const path = line.operands[0];
  const who = line.given("with");
  if (path === undefined) throw new HiveError("Usage", "share", "which folder?");
  const inside = await insideDrive(home, { command: "share", path });
  const forMs = line.duration("expires");
  const expiresAtMs = forMs === undefined ? null : systemClock.now() + forMs;
  const grant = await ask(home, "share", { path: inside, who, expiresAtMs, gives: givenBy(line) });
  if (typeof grant === "string") {
    print(grant);
    await showCode(line, grant);
    say(`only ${who} can use it: hive accept STRING [NAME]`);
  } else {
    say(`it comes to whoever is in ${who} by itself: nothing is to be handed over`);
  }
  return exitCodes.ok;
}

function givenBy(line: CommandLine): Capability {
  const [writes, verifies] = [line.flag("write"), line.flag("verify")];
  if (writes && verifies) throw new HiveError("Usage", "share", "--write contains --verify");
  return writes ? "write" : verifies ? "verify" : "read";
}

export async function link(home: Home, line: CommandLine): Promise<ExitCode> {
  const path = line.operands[0];
  if (path === undefined) throw new HiveError("Usage", "link", "which folder?");
  const inside = await insideDrive(home, { command: "link", path });
  const descriptor = line.count("passphrase-fd");
  const isLocked = line.flag("passphrase") || descriptor !== undefined;
  const passphrase = isLocked ? await obtainPassphrase(descriptor, { repeat: true }) : undefined;
  const forMs = line.duration("expires");
  const made = String(await ask(home, "link", {
    path: inside, passphrase: passphrase?.toString("base64") ?? null,
    expiresAtMs: forMs === undefined ? null : systemClock.now() + forMs,
  }));
  print(made);
  await showCode(line, made);
  say("whoever has it can read the folder: hive accept - [NAME] asks for it");
  return exitCodes.ok;
}

export async function shares(home: Home, line: CommandLine): Promise<ExitCode> {
  const [word, name] = line.operands;
  if (word === "forget" && name !== undefined) {
    await ask(home, "forgetShare", { name });
    tell(line, { name });
    return exitCodes.ok;
  }
  if (word !== undefined) throw new HiveError("Usage", "shares", "[forget NAME]");
  const found = (await ask(home, "shares")) as SharesView;
  if (line.flag("json")) printJson(found);
  else print(sharesText(found));
  return exitCodes.ok;
}

export async function accept(home: Home, line: CommandLine): Promise<ExitCode> {
  const [given, name = null] = line.operands;
  const grant = secretOperand(given, { command: "accept", what: "string" });
  const isLocked = isLink(grant) && linkNeedsPassphrase(grant);
  const passphrase = isLocked
    ? await obtainPassphrase(line.count("passphrase-fd"), { repeat: false })
    : undefined;
  const told = { grant, name, passphrase: passphrase?.toString("base64") ?? null };
  say(acceptedWords((await ask(home, "accept", told)) as Accepted));
  return exitCodes.ok;
}

function acceptedWords({ gives, name }: Accepted): string {
  switch (gives) {
    case "inbox": return "what that person's groups are given will be in Shared, and go with them";
    case "verify": return `hive verify --of ${name} checks it; nothing of it can be read`;
    case "read":
    case "write": return `it will be at Shared/${name} as soon as one of its holders was reached`;
    default: return unreachable(gives);
  }
}

export async function revoke(home: Home, line: CommandLine): Promise<ExitCode> {
  const path = line.operands[0];
  const who = line.given("from");
  if (path === undefined) throw new HiveError("Usage", "revoke", "which folder?");
  const inside = await insideDrive(home, { command: "revoke", path });
  const dropsSnapshots = line.flag("drop-snapshots");
  const revoked = (await ask(home, "revoke", { path: inside, who, dropsSnapshots })) as Revoked;
  for (const words of revokedWords(who, { ...revoked, dropsSnapshots })) say(words);
  return exitCodes.ok;
}

function revokedWords(
  who: string, { couldRead, stillBy, snapshots, dropsSnapshots }: Revoked & RevokeWish,
): readonly string[] {
  const refused = stillBy.length === 0
    ? `${who} is refused by every holder that heard of it: hive shares tells how many did`
    : `${who} still reads it by what is shared at ${stillBy.join(", ")}: see hive shares`;
  if (!couldRead || stillBy.length > 0) return [refused];
  const some = `snapshots from before${snapshots === null ? "" : ` (${snapshots})`}`;
  const past = dropsSnapshots
    ? `${some} go once all is sealed anew, and the rest of the drive in them with it`
    : `${some} keep the folder under the keys that ${who} was given, and no new ones reach `
      + `them: what ${who} has of those bytes, or gets from a holder, opens; `
      + "--drop-snapshots lets them go";
  return [
    refused,
    "whatever is written there from now on has keys that were never given away; what is there "
      + "already is being sealed anew, and holders are told to delete the old copies",
    ...(snapshots === 0 ? [] : [past]),
    "what was read or copied before, by that person or with a holder's help, cannot be taken back",
  ];
}

/** What a drive's daemon answers to these. */
export function sharingHandlersOf(drive: Drive): ControlHandlers {
  const { sharing } = drive.node;
  return {
    me: () => sharing.me(),
    contacts: () => sharing.contacts(),
    addContact: ({ name, text }) => sharing.addContact(String(name), String(text)),
    removeContact: ({ name }) => sharing.removeContact(String(name)),
    ...groupHandlersOf(drive),
    share: ({ path, who, expiresAtMs, gives }) => drive.share(namesOf(String(path)), {
      who: String(who), expiresAtMs: typeof expiresAtMs === "number" ? expiresAtMs : null,
      gives: capabilities.find((one) => one === gives) ?? "read",
    }),
    revoke: ({ path, who, dropsSnapshots }) => drive.revoke(
      namesOf(String(path)), String(who), { dropsSnapshots: dropsSnapshots === true },
    ),
    link: ({ path, expiresAtMs, passphrase }) => drive.link(namesOf(String(path)), {
      expiresAtMs: typeof expiresAtMs === "number" ? expiresAtMs : null,
      passphrase: passphraseIn(passphrase),
    }),
    accept: ({ grant, name, passphrase }) => sharing.accept(
      String(grant), typeof name === "string" ? name : null, passphraseIn(passphrase),
    ),
    tend: ({ name }) => sharing.tend(String(name)),
    forgetShare: ({ name }) => sharing.forget(String(name)),
    shares: () => drive.shares(),
  };
}

function passphraseIn(value: unknown): Uint8Array | null {
  return typeof value === "string" ? Buffer.from(value, "base64") : null;
}

function ask(home: Home, command: string, values: Arguments = {}): Promise<unknown> {
  return askControl(home.socket, command, values, say);
}
