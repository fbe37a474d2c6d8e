(()=>{"use strict";self.onmessage=({data:e})=>self.postMessage(e.reduce((e,s)=>e*s,1))})();
//# sourceMappingURL=180.ae95f330.chunk.js.map