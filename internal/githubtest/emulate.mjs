// Runs the emulator of GitHub with one private and one public repository, and says where it listens. It ends with its
// standard input.
const { createEmulator } = await import(process.env.NODE_MODULES + "/emulate/dist/api.js");

const emulator = await createEmulator({
  service: "github",
  port: 0,
  seed: {
    tokens: { [process.env.GITHUB_TOKEN]: { login: "acme", scopes: ["repo", "user"] } },
    github: {
      users: [{ login: "acme", name: "Acme", email: "ana@acme.example" }, { login: "ben", email: "ben@acme.example" }],
      repos: [
        { owner: "acme", name: "shop", private: true, auto_init: true },
        { owner: "acme", name: "open", private: false, auto_init: true },
      ],
    },
  },
});
console.log(emulator.url);
process.stdin.resume();
process.stdin.on("end", async () => {
  await emulator.close();
  process.exit(0);
});
