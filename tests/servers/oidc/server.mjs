// oidc-provider with the paths of Entra ID: node server.mjs SETTINGS
//
// SETTINGS is JSON: `tenant`, `resource` (scheme, host and port of the service), `certificate`
// (PEM, of the client that signs assertions), `lifetime` (seconds of an access token).
// Writes "listening on PORT" when it answers.

import { X509Certificate } from "node:crypto";
import { createServer } from "node:http";

import { Provider } from "oidc-provider";

const { tenant, resource, certificate, lifetime } = JSON.parse(process.argv[2]);

const scopes = ["openid", "offline_access", "profile", `${resource}/.default`, `${resource}/user_impersonation`];
const person = {
  redirect_uris: ["http://localhost", "http://127.0.0.1"],
  application_type: "native", // any port of a loopback address (RFC 8252, section 7.3)
  grant_types: ["authorization_code", "refresh_token", "urn:ietf:params:oauth:grant-type:device_code"],
};
const app = { redirect_uris: [], response_types: [], grant_types: ["client_credentials"] };
const secret = { client_secret: "invented-client-secret", token_endpoint_auth_method: "client_secret_post" };

const clients = [
  { client_id: "invented-public-client", ...person, token_endpoint_auth_method: "none" },
  { client_id: "invented-confidential-client", ...person, ...secret },
  { client_id: "invented-secret-app", ...app, ...secret },
  { client_id: "invented-service", client_secret: "invented-service-secret", ...app },
];
if (certificate) {
  const key = new X509Certificate(certificate).publicKey.export({ format: "jwk" });
  clients.push({
    client_id: "invented-certificate-app",
    ...app,
    token_endpoint_auth_method: "private_key_jwt",
    token_endpoint_auth_signing_alg: "PS256",
    jwks: { keys: [key] },
  });
}

const server = createServer();
server.listen(0, "127.0.0.1", () => {
  const { port } = server.address();
  const provider = new Provider(`http://127.0.0.1:${port}`, {
    clients,
    scopes,
    routes: {
      authorization: `/${tenant}/oauth2/v2.0/authorize`,
      token: `/${tenant}/oauth2/v2.0/token`,
      device_authorization: `/${tenant}/oauth2/v2.0/devicecode`,
      code_verification: "/devicelogin",
      introspection: "/introspection",
    },
    features: { clientCredentials: { enabled: true }, deviceFlow: { enabled: true }, introspection: { enabled: true } },
    issueRefreshToken: (_, client) => client.grantTypeAllowed("refresh_token"),
    rotateRefreshToken: true,
    ttl: { AccessToken: lifetime, ClientCredentials: lifetime },
  });

  // A refresh token without a browser: as if a person had signed in to a client.
  async function seed(clientId) {
    const client = await provider.Client.find(clientId);
    const accountId = "ada";
    const grant = new provider.Grant({ accountId, clientId });
    grant.addOIDCScope(scopes.join(" "));
    const token = new provider.RefreshToken({
      accountId,
      client,
      grantId: await grant.save(),
      gty: "authorization_code",
      scope: scopes.join(" "),
    });
    return token.save();
  }

  const answer = provider.callback();
  server.on("request", async (request, response) => {
    const { pathname, searchParams } = new URL(request.url, provider.issuer);
    if (pathname === "/seed") {
      response.end(await seed(searchParams.get("client")));
    } else {
      answer(request, response);
    }
  });
  console.log(`listening on ${port}`);
});
