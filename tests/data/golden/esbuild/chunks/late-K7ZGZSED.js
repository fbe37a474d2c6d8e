function t(){return"late, and without styles"}export{t as late};
//# sourceMappingURL=/chunks/late-K7ZGZSED.js.map
