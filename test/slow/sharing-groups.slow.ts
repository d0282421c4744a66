/**
 * Two people on one swarm, each with a drive mounted by a daemon of her own: Ben is put into a group
 * of Ann's. What she shares with that comes to him by itself, until he leaves it; and a folder that
 * he may verify he proves, and does not see.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "tap";
import { until } from "../support/cli.ts";
import { appears, contactOf, isThere, shares, twoPeople } from "../support/two-people.ts";

test("what a group is given comes to whoever is in it, and goes when she leaves",
  { timeout: 480_000 }, async (t) => {
    const { ann, ben } = await twoPeople(t, { peers: 3 });
    const [photos, music, diary] = ["photos", "music", "diary"].map((name) => {
      return join(ann.mount, name);
    }) as [string, string, string];
    for (const folder of [photos, music, diary]) mkdirSync(folder);
    writeFileSync(join(diary, "today"), "nobody's business");
    writeFileSync(join(photos, "one"), "a picture");
    writeFileSync(join(music, "song"), "a song");
    await ann.must(t, ["flush", "--timeout", "90"]);

    await ann.must(t, ["contacts", "add", "Ben", await contactOf(t, ben)]);
    const added = await ann.must(t, ["contacts", "group", "family", "add", "Ben"]);
    t.not((await ann.hive(["contacts", "remove", "Ben"])).code, 0, "he is in a group");
    await ann.must(t, ["share", photos, "--with", "family"]);
    const accepted = await ben.must(t, ["accept", added.out.trim()]);
    t.match(accepted.error, /groups/);
    const [hisPhotos, hisMusic] = ["photos", "music"].map((name) => join(ben.mount, "Shared", name));
    await appears(join(hisPhotos!, "one"), "a picture", { seconds: 120 });
    t.match((await ben.must(t, ["shares"])).out, /Shared\/photos .*through a group/);

    await ann.must(t, ["share", music, "--with", "family"]);
    await appears(join(hisMusic!, "song"), "a song", { seconds: 120 });
    const said = (await ann.must(t, ["shares"])).out;
    t.match(said, /\/photos {2}read by the group family, 1 person/);
    t.match(said, /\/music {2}read by Ben through family/);
    t.match((await ann.must(t, ["contacts", "group"])).out, /family +Ben +\/music, \/photos/);

    const verified = await ann.must(t, ["share", diary, "--with", "Ben", "--verify"]);
    await ben.must(t, ["accept", verified.out.trim()]);
    const isProven = async () => {
      const { code, out } = await ben.hive(["verify", "--of", "diary", "--json"]);
      const found = code === 0 ? JSON.parse(out) as { segments: number; right: number } : undefined;
      return found !== undefined && found.segments > 0 && found.right > 0;
    };
    await until(isProven, { seconds: 120, what: "Ben's machine proves what holders keep" });
    t.match((await ben.must(t, ["shares"])).out, /diary .*to verify .* 0 segments missing/);
    t.match((await ann.must(t, ["shares"])).out, /\/diary {2}verified by Ben/);
    t.notOk(isThere(join(ben.mount, "Shared", "diary")));

    await ann.must(t, ["contacts", "group", "family", "remove", "Ben"]);
    const isGone = () => Promise.resolve(!isThere(hisPhotos!) && !isThere(hisMusic!));
    await until(isGone, { seconds: 120, what: "Ben is refused both" });
    const { given, withdrawals } = await shares(ann);
    t.strictSame(given.map((one) => one.with.length), [0, 0, 0]);
    t.strictSame(withdrawals.map(({ path, from }) => `${path} ${from}`).sort(),
      ["/music Ben", "/photos Ben"], "both are sealed anew");
  });
