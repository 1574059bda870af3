// Checks Lua files against stylua.toml, or with --write formats them. StyLua comes as WebAssembly:
// its npm package with a binary downloads that from GitHub, which not every machine may reach.
import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { resolve } from "node:path";

const stylua = createRequire(resolve(process.env.STYLUA_HOME, "package.json"))("@johnnymorganz/stylua");
const ENUMS = {
  indent_type: stylua.IndentType,
  quote_style: stylua.QuoteStyle,
  call_parentheses: stylua.CallParenType,
};

function configuration() {
  const config = stylua.Config.new();
  config.syntax = stylua.LuaVersion.Lua54;
  for (const [, key, value] of readFileSync("stylua.toml", "utf8").matchAll(/^(\w+) = "?(\w+)"?$/gm)) {
    config[key] = key in ENUMS ? ENUMS[key][value] : Number(value);
  }
  return config;
}

const write = process.argv.includes("--write");
let unformatted = 0;
for (const path of process.argv.slice(2).filter((argument) => argument !== "--write")) {
  const code = readFileSync(path, "utf8");
  const formatted = stylua.formatCode(code, configuration(), null, stylua.OutputVerification.Full);
  if (formatted === code) continue;
  if (write) {
    writeFileSync(path, formatted);
    console.log(`stylua: formatted ${path}`);
  } else {
    console.error(`stylua: ${path} is not formatted; run .ci/lint-lua --write`);
    unformatted += 1;
  }
}
process.exit(unformatted > 0 ? 1 : 0);
