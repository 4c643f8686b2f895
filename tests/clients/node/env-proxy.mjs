// For Node before 22.21 and 24: `node --import ./env-proxy.mjs app.mjs` lets fetch read the proxy variables.
import { EnvHttpProxyAgent, setGlobalDispatcher } from "undici";
setGlobalDispatcher(new EnvHttpProxyAgent());
