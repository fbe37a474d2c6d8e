function e(){return`late, and without styles`}export{e as late};
//# sourceMappingURL=late-DXtggEun.js.map