/**
 * Two people on one swarm, each with a drive mounted by a daemon of her own: Ben may write a folder
 * of Ann's, and does so on two machines. What any of them does comes to the others, whoever is off,
 * until his right ends.
 */
import { existsSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync, statSync,
  writeFileSync } from "node:fs";
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { test } from "tap";
import { until } from "../support/cli.ts";
import { met } from "../support/folders.ts";
import { shareAtRest } from "../support/process-time.ts";
import { appears, broughtBack, contactOf, isShutOut, shares, twoPeople } from "../support/two-people.ts";

test("a folder is written by its owner and by one more person, whoever is off",
  { timeout: 480_000 }, async (t) => {
    const { ann, ben, toBen } = await twoPeople(t);
    const work = join(ann.mount, "work");
    mkdirSync(join(work, "sub"), { recursive: true });
    writeFileSync(join(work, "note"), "of Ann");
    writeFileSync(join(work, "sub", "large"), randomBytes(2_000_000));
    await ann.must(t, ["flush", "--timeout", "90"]);

    await ann.must(t, ["contacts", "add", "Ben", await contactOf(t, ben)]);
    const grant = (await ann.must(t, ["share", work, "--with", "Ben", "--write"])).out.trim();
    t.ok(grant.length < 2_400, `a grant of ${grant.length} characters`);
    await ben.must(t, ["accept", grant, "work"]);
    const shared = join(ben.mount, "Shared", "work");
    await appears(join(shared, "note"), "of Ann");

    const large = randomBytes(3_000_000);
    writeFileSync(join(shared, "sub", "of Ben"), large);
    renameSync(join(shared, "note"), join(shared, "sub", "note"));
    writeFileSync(join(shared, "mine"), "of Ben");
    t.equal(statSync(join(shared, "mine")).uid, process.getuid?.());
    await ben.must(t, ["flush", "--timeout", "90"]);
    await appears(join(work, "sub", "of Ben"), large);
    await appears(join(work, "sub", "note"), "of Ann");
    t.strictSame(readdirSync(work).sort(), ["mine", "sub"]);
    writeFileSync(join(work, "mine"), "of both");
    await ann.must(t, ["flush", "--timeout", "90"]);
    await appears(join(shared, "mine"), "of both");
    const verify = async () => JSON.parse((await ben.must(t, ["verify", "--json"])).out) as {
      readonly segments: number; readonly missing: number; readonly proofsWrong: number;
    };
    t.match(await verify(), { missing: 0, proofsWrong: 0 });
    // His own drive has next to nothing: what is given back is what Ann has taken over.
    const givesBack = async () => {
      await ben.must(t, ["flush", "--timeout", "90"]);
      const { out } = await ben.must(t, ["gc", "--json", "--timeout", "90"]);
      return (JSON.parse(out) as { readonly blocks: number }).blocks > 10;
    };
    await until(givesBack, { seconds: 90, what: "Ben's copies are given back" });
    t.match(await verify(), { missing: 0, proofsWrong: 0 });
    t.ok(readFileSync(join(shared, "sub", "of Ben")).equals(large), "Ann's copy is read");
    for (const machine of [ann, ben]) t.ok(await shareAtRest(machine) < 0.5, "nothing spins");

    const pad = await broughtBack(t, "pad", toBen);
    const onPad = join(pad.mount, "Shared", "work");
    await until(async () => wrote(join(onPad, "of the pad"), "written on the other machine"),
      { seconds: 120, what: "Ben's other machine writes there" });
    await pad.must(t, ["flush", "--timeout", "90"]);
    await appears(join(work, "of the pad"), "written on the other machine", { seconds: 120 });
    await appears(join(shared, "of the pad"), "written on the other machine");

    await ann.must(t, ["unmount"]);
    writeFileSync(join(shared, "while Ann is off"), "written");
    rmSync(join(shared, "sub", "large"));
    await ben.must(t, ["flush", "--timeout", "90"]);
    await appears(join(onPad, "while Ann is off"), "written", { seconds: 120 });
    rmSync(join(onPad, "of the pad"));
    await pad.must(t, ["flush", "--timeout", "90"]);
    await pad.must(t, ["unmount"]);
    await ben.must(t, ["unmount"]);
    const { files, problems } = JSON.parse((await ben.must(t, ["fsck", "--json"])).out) as {
      readonly files: number; readonly problems: number;
    };
    t.equal(problems, 0);
    t.ok(files >= 5, `${files} files and folders, those of the shared folder among them`);
    await ann.must(t, ["mount", ann.mount]);
    await appears(join(work, "while Ann is off"), "written");
    await until(async () => !existsSync(join(work, "of the pad")),
      { seconds: 120, what: "what was removed on the pad is gone" });
    t.strictSame(readdirSync(join(work, "sub")).sort(), ["note", "of Ben"]);
    const isHeard = async () => {
      const { writes, trouble, devices } = (await shares(ann)).given[0]?.with[0] ?? {};
      return writes === true && trouble === null && devices === 2;
    };
    await until(isHeard, { seconds: 60, what: "both machines of Ben's are heard" });

    await ben.must(t, ["mount", ben.mount]);
    await appears(join(shared, "while Ann is off"), "written");
    t.match((await shares(ben)).taken, [{ writes: true }]);
    await met(ann, 4);
    await ann.must(t, ["revoke", work, "--from", "Ben"]);
    await isShutOut(ben);
    t.throws(() => statSync(shared), { code: "ENOENT" });
    t.strictSame((await shares(ann)).given, []);
    await ben.must(t, ["flush", "--timeout", "60"]);
    t.equal(readFileSync(join(work, "mine"), "utf8"), "of both");
  });

/** While it is for reading it says so. */
function wrote(path: string, text: string): boolean {
  try {
    writeFileSync(path, text);
    return true;
  } catch {
    return false;
  }
}
