(()=>{"use strict";self.onmessage=({data:e})=>self.postMessage(e.reduce((e,s)=>e*s,1))})();
//# sourceMappingURL=546.2fcbb4db.chunk.js.map