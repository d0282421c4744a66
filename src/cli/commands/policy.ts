/** `hive policy`: looks at the user's policies, and says which one a drive goes by. */
import { HiveError, isFault } from "../../base/errors.ts";
import type { DriveStatus } from "../../base/views/drive.ts";
import type { PathPolicy, PolicyReport } from "../../base/views/policies.ts";
import { askControl } from "../daemon/control.ts";
import { insideDrive } from "../daemon/inside-mount.ts";
import { isDrive, runningAt } from "../daemon/running.ts";
import { type ExitCode, exitCodes } from "../exits.ts";
import type { Home } from "../home/home.ts";
import { type PolicyFile, findPolicy, policyFiles, readPolicy } from "../home/policies.ts";
import { readSettings, writeSettings } from "../home/settings.ts";
import { movingText, print, printJson, say, table, tell } from "../output.ts";
import type { CommandLine } from "../table/parse.ts";

/** What hive-policy(5) calls the default. */
const builtInText = "policy built-in { }";

type Act = (home: Home, line: CommandLine, rest: readonly string[]) => ExitCode | Promise<ExitCode>;

const acts: Readonly<Record<string, { readonly act: Act; readonly operandsMax: number }>> = {
  check: { act: check, operandsMax: 1 },
  list: { act: list, operandsMax: 0 },
  show: { act: show, operandsMax: 1 },
  explain: { act: explain, operandsMax: 2 },
  use: { act: use, operandsMax: 1 },
  set: { act: set, operandsMax: 2 },
};

export async function policyCommand(home: Home, line: CommandLine): Promise<ExitCode> {
  const [word = "list", ...rest] = line.operands;
  const found = acts[word];
  if (found === undefined) {
    throw new HiveError("Usage", "policy", `${word}: ${Object.keys(acts).join(", ")}`);
  }
  const [more] = rest.slice(found.operandsMax);
  if (more !== undefined) throw new HiveError("Usage", "policy", `too many operands: ${more}`);
  return found.act(home, line, rest);
}

function check(_home: Home, line: CommandLine, [file]: readonly string[]): ExitCode {
  if (file === undefined) throw new HiveError("Usage", "policy", "which file?");
  showOne(readPolicy(file), line);
  return exitCodes.ok;
}

async function show(
  home: Home, line: CommandLine, [name]: readonly string[],
): Promise<ExitCode> {
  const asked = wanted(name);
  if (isPath(asked)) {
    const found = await policyAt(home, asked);
    if (line.flag("json")) printJson(found);
    else print(pathText(found));
    return exitCodes.ok;
  }
  const policy = findPolicy(home, asked);
  const found = await statusHere(home);
  const moving = found?.policy.moving.find((one) => one.policy === policy.name);
  showOne(policy, line, moving === undefined ? {} : { moving });
  if (moving !== undefined) say(movingText(moving));
  return exitCodes.ok;
}

/** No policy's name has a slash: a folder right here is ./NAME. */
function isPath(text: string): boolean {
  return text.includes("/") || text === "." || text === "..";
}

async function policyAt(home: Home, path: string): Promise<PathPolicy> {
  const inside = await insideDrive(home, { command: "policy", path });
  return (await askControl(home.socket, "policyAt", { path: inside }, say)) as PathPolicy;
}

function pathText({ policy, folder, text }: PathPolicy): string {
  const whose = folder === null ? "the file itself, which has several names" : folder;
  const name = policy ?? "the drive's default";
  return [`policy  ${name}`, `from    ${whose}`, "", text?.trimEnd() ?? "built in"].join("\n");
}

/** What the policy comes to: its canonical text, whose hash is in the manifests. */
function showOne(
  { name, hash, canonical, file }: PolicyFile, line: CommandLine, more: object = {},
): void {
  if (line.flag("json")) printJson({ name, hash, canonical, file, ...more });
  else print(`# ${name} ${hash}\n${canonical}`);
}

/** Undefined where no drive is mounted. */
async function statusHere(home: Home): Promise<DriveStatus | undefined> {
  const found = await runningAt(home);
  return found !== undefined && isDrive(found) ? found : undefined;
}

function list(home: Home, line: CommandLine): ExitCode {
  const inUse = readSettings(home.settingsFile).policy;
  const rows = policyFiles(home).map((file) => rowOf(file, inUse));
  if (line.flag("json")) printJson(rows);
  else {
    const cells = rows.map(({ inUse: used, name, class: c, problem, file }) => {
      return [used ? "*" : "", name ?? "-", c ?? "-", problem ?? file];
    });
    const builtIn = [inUse === undefined ? "*" : "", "-", "-", "built in: hive-policy(5)"];
    print(table(["", "policy", "class", "file"], [builtIn, ...cells]));
  }
  return rows.some(({ problem }) => problem !== null) ? exitCodes.usage : exitCodes.ok;
}

function rowOf(file: string, inUse: string | undefined) {
  try {
    const { name, class: className, hash } = readPolicy(file);
    return { name, class: className, hash, file, inUse: name === inUse, problem: null };
  } catch (error) {
    if (!isFault(error)) throw error;
    return { name: null, class: null, hash: null, file, inUse: false, problem: error.subject };
  }
}

async function explain(
  home: Home, line: CommandLine, [name, peer]: readonly string[],
): Promise<ExitCode> {
  const found = await ask(home, await textFor(home, wanted(name)), peer ?? null);
  if (line.flag("json")) printJson(found);
  else print(reportText(found));
  return found.class === null ? exitCodes.unavailable : exitCodes.ok;
}

/** Of a name, or of what a path goes by. */
async function textFor(home: Home, asked: string): Promise<Pick<PolicyFile, "text">> {
  if (!isPath(asked)) return findPolicy(home, asked);
  const { policy, folder, text } = await policyAt(home, asked);
  say(`${asked} goes by ${policy ?? "the drive's default"}, from ${folder ?? "the file itself"}`);
  return { text: text ?? builtInText };
}

/** Gives a folder a policy of its own, or lets it go by the one above; without one, the drive. */
async function set(home: Home, line: CommandLine, words: readonly string[]): Promise<ExitCode> {
  const isBack = line.flag("inherit");
  const [name, path] = isBack ? [undefined, ...words] : words;
  if (path === undefined && !isBack) return use(home, line, words);
  if (path === undefined) {
    throw new HiveError("Usage", "policy", "set --inherit PATH");
  }
  const inside = await insideDrive(home, { command: "policy", path });
  if (name !== undefined) await judgeFirst(home, line, await knownPolicy(home, name));
  const asked = { path: inside, name: name ?? null };
  await askControl(home.socket, "setPolicy", asked, say);
  const said = `${path} goes by ${name ?? "the folder above"}; what lies there follows`;
  tell(line, { path: `/${inside}`, policy: asked.name }, said);
  return exitCodes.ok;
}

async function knownPolicy(home: Home, name: string): Promise<PolicyFile> {
  try {
    return findPolicy(home, name);
  } catch (error) {
    if (!isFault(error, "NotFound")) throw error;
    const place = `${home.policiesDirectory}/${name}.policy`;
    throw new HiveError("NotFound", "policy.set", `${name}: write it to ${place} first`);
  }
}

/** A policy that cannot be satisfied is refused, unless it says that data may wait. */
async function use(home: Home, line: CommandLine, [name]: readonly string[]): Promise<ExitCode> {
  const settings = readSettings(home.settingsFile);
  if (name !== undefined) await judgeFirst(home, line, findPolicy(home, name));
  writeSettings(home.settingsFile, { ...settings, policy: name });
  const isInForce = await reload(home);
  const words = `${name ?? "the built-in policy"} holds from ` +
    `${isInForce ? "now" : "the next mount"} on`;
  tell(line, { policy: name ?? null, isInForce }, words);
  return exitCodes.ok;
}

/** False when no daemon runs that could go by it at once. */
async function reload(home: Home): Promise<boolean> {
  try {
    await askControl(home.socket, "reloadPolicies");
    return true;
  } catch (error) {
    if (isFault(error, "Unavailable")) return false;
    throw error;
  }
}

async function judgeFirst(home: Home, line: CommandLine, policy: PolicyFile): Promise<void> {
  try {
    const found = await ask(home, policy, null);
    if (found.class !== null || found.unsatisfiable === "queue") return;
    if (line.flag("json")) printJson(found);
    else print(reportText(found));
  } catch (error) {
    if (!isFault(error, "Unavailable")) throw error;
    say("no daemon runs here: whether the known peers satisfy it was not looked at");
    return;
  }
  throw new HiveError("Unavailable", "policy.use", `${policy.name}: too few peers satisfy it`);
}

async function ask(
  home: Home, { text }: Pick<PolicyFile, "text">, peer: string | null,
): Promise<PolicyReport> {
  return (await askControl(home.socket, "policy", { text, peer }, say)) as PolicyReport;
}

function wanted(name: string | undefined): string {
  if (name !== undefined) return name;
  throw new HiveError("Usage", "policy", "which policy?");
}

function reportText(found: PolicyReport): string {
  const counts = found.clauses.map(({ clause, left }) => [String(left), clause]);
  const classes = found.classes.map(({ class: name, needed, isEnough, bounds }) => {
    const short = bounds.filter((bound) => bound.left < bound.needed);
    const why = short.map(({ clause, left, needed: least }) => `${clause}: ${left} of ${least}`);
    return [name, String(needed), isEnough ? "yes" : "no", why.join("; ")];
  });
  return [
    table(["peers", "after"], counts),
    "",
    table(["class", "peers needed", "possible", ""], classes),
    "",
    `now: ${outcomeText(found)}`,
    ...peerText(found.peer),
  ].join("\n");
}

function outcomeText({ class: possible, hopeless, unsatisfiable }: PolicyReport): string {
  if (possible !== null) return `class ${possible}`;
  const isRefused = hopeless !== null && unsatisfiable === "refuse";
  return `too few peers; ${isRefused ? "nothing is taken" : "data stays on this machine"}`;
}

function peerText(peer: PolicyReport["peer"]): string[] {
  if (peer === null) return [];
  const rows = peer.clauses.map(({ clause, answer }) => [answer, clause]);
  const { place } = peer;
  const where = place === null ? "not known" : `${place.country} (${place.evidence})`;
  const verdict = `${peer.peer}: ${peer.state}; ${peer.why}`;
  return ["", table(["answer", "clause"], rows), "", `place: ${where}`, verdict];
}
