// A stand-in for Supabase Auth on this machine: any e-mail and any password sign in.
// It issues what a project with signing keys issues: ES256 tokens with their public key in a JWKS.
// Never for production: it checks nothing.
import { createHash, generateKeyPairSync, randomUUID, sign } from "node:crypto";
import { createServer } from "node:http";
import { fileURLToPath } from "node:url";

const base64url = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");

// The same e-mail is the same user, also after a restart.
const subjectOf = (email) => {
  const hex = createHash("sha256").update(email.trim().toLowerCase()).digest("hex");
  return hex.replace(/^(.{8})(.{4}).(.{3}).(.{3})(.{12}).*$/, "$1-$2-4$3-8$4-$5");
};

export const startAuth = ({ port = 54321, lifeS = 300 } = {}) => {
  const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const kid = randomUUID();
  const jwks = { keys: [{ ...publicKey.export({ format: "jwk" }), kid, alg: "ES256", use: "sig" }] };
  const refreshTokens = new Map();
  let issuer;

  const session = (email) => {
    const now = Math.floor(Date.now() / 1000);
    const user = { id: subjectOf(email), email, role: "authenticated", aud: "authenticated" };
    const claims = {
      iss: issuer,
      sub: user.id,
      aud: "authenticated",
      role: "authenticated",
      email,
      is_anonymous: false,
      session_id: randomUUID(),
      iat: now,
      exp: now + lifeS,
    };
    const text = `${base64url({ alg: "ES256", typ: "JWT", kid })}.${base64url(claims)}`;
    const signature = sign("sha256", Buffer.from(text), { key: privateKey, dsaEncoding: "ieee-p1363" });
    const refreshToken = randomUUID();
    refreshTokens.set(refreshToken, email);
    return {
      access_token: `${text}.${signature.toString("base64url")}`,
      token_type: "bearer",
      expires_in: lifeS,
      expires_at: now + lifeS,
      refresh_token: refreshToken,
      user,
    };
  };

  const grant = (kind, { email, refresh_token: refreshToken }) => {
    if (kind === "password" && email) return [200, session(email)];
    const known = kind === "refresh_token" && refreshTokens.get(refreshToken);
    if (!known) return [400, { error_code: "invalid_credentials", msg: "Invalid login credentials" }];
    refreshTokens.delete(refreshToken); // each one is good once
    return [200, session(known)];
  };

  const server = createServer(async (request, response) => {
    const url = new URL(request.url, "http://localhost");
    const answer = (status, body) => {
      response.writeHead(status, {
        "content-type": "application/json",
        "access-control-allow-origin": "*",
        "access-control-allow-headers": "authorization, apikey, content-type, x-client-info",
      });
      response.end(JSON.stringify(body));
    };
    if (request.method === "OPTIONS") return answer(200, {});
    if (url.pathname === "/auth/v1/.well-known/jwks.json") return answer(200, jwks);
    if (url.pathname !== "/auth/v1/token" || request.method !== "POST") return answer(404, { msg: "not found" });
    try {
      const body = await new Response(request).json();
      return answer(...grant(url.searchParams.get("grant_type"), body));
    } catch {
      return answer(400, { msg: "the body is no JSON" });
    }
  });
  return new Promise((resolve) => {
    server.listen(port, "127.0.0.1", () => {
      issuer = `http://127.0.0.1:${server.address().port}/auth/v1`;
      resolve({ server, issuer });
    });
  });
};

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { issuer } = await startAuth({
    port: Number(process.env.AUTH_PORT ?? 54321),
    lifeS: Number(process.env.AUTH_LIFE_S ?? 300),
  });
  console.log(`sign-in (a stand-in for Supabase Auth)  ${issuer}`);
}
