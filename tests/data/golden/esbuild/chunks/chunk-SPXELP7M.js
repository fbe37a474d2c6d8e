function u(r){return r.reduce((e,t)=>e*t,1)}export{u as a};
//# sourceMappingURL=/chunks/chunk-SPXELP7M.js.map
