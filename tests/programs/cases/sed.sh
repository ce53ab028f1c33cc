# Editing scripts: hold space, branches, in place.
seq 10 >n; sed -n '2,4p;$=' n; sed '1~3d' n | tr '\n' ' '; echo; sed 's/\([0-9]\)\([0-9]\)/\2\1/' n | tail -n 1
sed -n '1!G;h;$p' n | tr '\n' ' '; echo; sed -E 's/(.)/<\1>/2g' <<<abcd; sed ':a;N;$!ba;s/\n/,/g' n; sed -i.bak 's/5/five/' n; cat n; diff n n.bak
sed '/3/,/5/{s/^/> /;}' n.bak; sed 'y/abc/xyz/' <<<aabbcc; sed -s -n '$p' n n.bak; sed 's/x*/-/g' <<<baaac; sed -n 'l' <<<$'tab\there'
sed '2i inserted' n | head -n 3; sed '$a\end' n | tail -n 1; sed 's/.*/\U&/' <<<word; sed -z 's/\n/;/g' n; echo; sed --posix 's/a\|b/X/' <<<'a|b'; sed bogus n; echo $?
