/** The user's policies as they are in force: a file that makes no sense changes nothing. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { type Test, test } from "tap";
import { isFault } from "../../src/base/errors.ts";
import { silentLog } from "../../src/base/log.ts";
import type { PolicyTexts } from "../../src/base/views/policies.ts";
import { type Home, homeAt, makeHome } from "../../src/cli/home/home.ts";
import { PolicyFiles, watchPolicies } from "../../src/cli/home/policy-watch.ts";
import { defaultSettings, writeSettings } from "../../src/cli/home/settings.ts";

function newHome(t: Test): Home {
  const directory = mkdtempSync(join(tmpdir(), "hive-policy-files-"));
  t.teardown(() => rmSync(directory, { recursive: true }));
  const home = homeAt(directory);
  makeHome(home);
  mkdirSync(home.policiesDirectory);
  return home;
}

function write(home: Home, file: string, text: string): void {
  writeFileSync(join(home.policiesDirectory, `${file}.policy`), text);
}

function choose(home: Home, policy: string | undefined): void {
  writeSettings(home.settingsFile, { ...defaultSettings(), policy });
}

test("a spoilt file keeps what it said, and is told with its place", (t) => {
  const home = newHome(t);
  const [good, other] = ["policy eu { require region in EU; }", "policy us { forbid country in US; }"];
  write(home, "eu", good);
  write(home, "us", other);
  choose(home, "eu");
  const files = new PolicyFiles(home);
  t.strictSame(files.open(), { drive: good, named: { eu: good, us: other }, problem: null });
  write(home, "eu", "policy eu {\n  require region EU;\n}");
  const spoilt = files.texts();
  t.strictSame([spoilt.drive, spoilt.named], [good, { eu: good, us: other }]);
  t.match(spoilt.problem, /eu\.policy: line 2, column 18/);
  write(home, "eu", "policy eu { }");
  t.strictSame(files.texts(), {
    drive: "policy eu { }", named: { eu: "policy eu { }", us: other }, problem: null,
  });
  t.end();
});

test("a file that is gone keeps the drive's own in force, and no other's", (t) => {
  const home = newHome(t);
  for (const name of ["eu", "us"]) write(home, name, `policy ${name} { }`);
  choose(home, "eu");
  const files = new PolicyFiles(home);
  files.open();
  for (const name of ["eu", "us"]) rmSync(join(home.policiesDirectory, `${name}.policy`));
  const texts = files.texts();
  t.strictSame([texts.drive, texts.named], ["policy eu { }", {}]);
  t.match(texts.problem, /eu: no such policy/);
  choose(home, undefined);
  t.strictSame(files.texts(), { drive: undefined, named: {}, problem: null }, "until it is not asked for");
  t.end();
});

test("settings that make no sense leave the choice as it was", (t) => {
  const home = newHome(t);
  write(home, "eu", "policy eu { }");
  choose(home, "eu");
  const files = new PolicyFiles(home);
  files.open();
  writeFileSync(home.settingsFile, "{ not json");
  const texts = files.texts();
  t.equal(texts.drive, "policy eu { }");
  t.match(texts.problem, "settings.json");
  t.end();
});

test("a drive does not start without the policy that was chosen for it", (t) => {
  const home = newHome(t);
  choose(home, "eu");
  for (const spoilt of [undefined, "policy eu { spoilt"]) {
    if (spoilt !== undefined) write(home, "eu", spoilt);
    try {
      new PolicyFiles(home).open();
      t.fail("it started");
    } catch (error) {
      t.ok(isFault(error, "Invalid") && /eu/.test(error.subject), String(error));
    }
  }
  t.end();
});

test("the watch sees edits, new files, removals and the choice; each once", async (t) => {
  const home = newHome(t);
  write(home, "eu", "policy eu { }");
  choose(home, undefined);
  const files = new PolicyFiles(home);
  files.open();
  const heard: PolicyTexts[] = [];
  let wake = (): void => {};
  const watch = watchPolicies(home, files, {
    log: silentLog, govern: async (texts) => { heard.push(texts); wake(); },
    settingsChanged: async () => {},
  });
  t.teardown(() => watch.close());
  const next = async (act: () => void): Promise<PolicyTexts | undefined> => {
    const { promise, resolve } = Promise.withResolvers<void>();
    wake = resolve;
    act();
    // What is not heard of fails below; the timer must not keep the process.
    await Promise.race([promise, delay(20_000, undefined, { ref: false })]);
    return heard.at(-1);
  };
  // The watch is up once it has told of anything at all.
  let at = 0;
  while (heard.length === 0 && at < 100) {
    write(home, "eu", `policy eu { forbid country in US; } # ${at++}`);
    await delay(300);
  }
  t.match((await next(() => write(home, "us", "policy us { }")))?.named, { us: "policy us { }" });
  t.match((await next(() => choose(home, "us")))?.drive, "policy us { }");
  t.match((await next(() => write(home, "us", "policy")))?.problem, /us\.policy: line 1/);
  const before = heard.length;
  await watch.reload();
  t.equal(heard.length, before, "nothing is new");
  const gone = await next(() => rmSync(join(home.policiesDirectory, "eu.policy")));
  t.notOk("eu" in (gone?.named ?? {}));
});
