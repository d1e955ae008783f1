#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
#
# What a school does with its ledger: the seven scenarios of the SchoolTool design, each one test, told
# in its words.  The Moodle is a peer in PHP; the counsellor and the teacher use mnetctl.

use strict;
use warnings;
use utf8;
use FindBin qw($Bin);
use lib "$Bin/lib";
use JSON::PP;
use Test::More;
use Time::HiRes qw(sleep time);
use Mnet::School;

binmode Test::More->builder->$_, ':utf8' for qw(output failure_output todo_output);
my ($true, $false) = (JSON::PP::true, JSON::PP::false);

my $t = Mnet::School->start(peers => { moodle => { style => 'moodle' }, second => { style => 'moodle' } });
my $moodle = $t->peer('moodle')->wwwroot;

# Now, to the microsecond: a report as of then has what was said before, and not what is said after.
sub now_exactly
{
    my ($s, $usec) = Time::HiRes::gettimeofday();
    my @t = gmtime $s;
    return sprintf '%04d-%02d-%02dT%02d:%02d:%02d.%06dZ', $t[5] + 1900, $t[4] + 1, @t[3, 2, 1, 0], $usec;
}

sub enter { my $got = $t->ledger(@_); ok($got->{exit} == 0, "by hand: @_[0 .. ($#_ > 2 ? 2 : $#_)]") or diag $got->{out}; return $got->{json} }

subtest '1. Self-enrolment before the holidays' => sub {
    enter(qw(term 3 Autumn --from 2026-09-01 --to 2026-12-18));
    $t->ok_says('moodle', 'a student is known', fetch_user => { username => 'alice', firstname => 'Alice', lastname => 'Ångström', idnumber => '1234457' });
    my @courses = qw(Algebra Biology Chemistry Drama English);
    for my $course (@courses) {
        $t->ok_says('moodle', "$course is planned for the autumn", new_section => { name => "$course 1", idnumber => lc $course, segment => 3 });
    }
    # In the last week of term the student enrols in five courses.  Each enrolment travels at once.
    for my $course (@courses) {
        $t->ok_says('moodle', "enrolled in $course", new_enrolment => { sectionid => lc $course, userid => '1234457', role => 'student' });
    }
    # In July the principal opens the ledger.
    my $sections = $t->report('1234457');
    is_deeply([sort keys %$sections], [map { "$_ 1" } @courses], 'the principal sees the five sections');
    is_deeply([grep { $_->{term} ne 'Autumn' || $_->{status} ne 'active' } values %$sections], [], '  of the autumn, to be taken');
    my $text = $t->harness->mnetctl(qw(ledger report --student 1234457))->{out};
    utf8::decode($text);
    like($text, qr/Progress report of Alice Ångström.*^Autumn\n.*Algebra 1 \(algebra\).*English 1 \(english\)/ms, '  also on paper');
};

subtest '2. A new student, graded as the term goes' => sub {
    $t->ok_says('moodle', 'the assignment', new_assessment => { sectionid => 'algebra', name => $_, idnumber => "alg-$_", pointval => 20 }) for qw(Essay Quiz Test);
    # A counsellor enrols a newcomer in Moodle.
    $t->ok_says('moodle', 'a newcomer', fetch_user => { username => 'bob', firstname => 'Bob', lastname => 'New', idnumber => '2347234' });
    $t->ok_says('moodle', '  is enrolled', new_enrolment => { sectionid => 'algebra', userid => '2347234', role => 'student' });
    # As work is completed, each grade travels: some given by Moodle and some by the teacher.
    my $enrolled = now_exactly();
    $t->ok_says('moodle', 'a quiz, graded by Moodle', new_grade => { assessmentid => 'alg-Quiz', userid => '2347234', points_earned => 15, excepted => $false, attempt_num => 1 });
    my $quizzed = now_exactly();
    $t->ok_says('moodle', 'an essay, graded by the teacher', new_grade => { assessmentid => 'alg-Essay', userid => '2347234', points_earned => 18, excepted => $false, attempt_num => 1 });
    $t->ok_says('moodle', 'the quiz once more', new_grade => { assessmentid => 'alg-Quiz', userid => '2347234', points_earned => 19, excepted => $false, attempt_num => 2 });
    # At any day a progress report can be printed, as of now or as of an earlier date.
    is_deeply($t->grades('2347234', 'Algebra 1'), { Essay => 18, Quiz => 19, Test => undef }, 'the report as of now');
    is_deeply($t->grades('2347234', 'Algebra 1', '--date', $quizzed), { Essay => undef, Quiz => 15, Test => undef }, '  as of the day of the quiz');
    is_deeply($t->grades('2347234', 'Algebra 1', '--date', $enrolled), { Essay => undef, Quiz => undef, Test => undef }, '  as of the day of the enrolment');
    is_deeply($t->report('2347234', '--date', '2020-01-01'), {}, '  and before there was anything');
    is($t->report('2347234')->{'Algebra 1'}{percent}, 100 * 37 / 40, 'what is graded counts together');
};

subtest '3. Dropping a course' => sub {
    my $before = now_exactly();
    # The student unenrols in Moodle.  The withdrawal travels.
    $t->ok_says('moodle', 'the withdrawal', withdraw_enrolment => { sectionid => 'drama', userid => '1234457' });
    is($t->report('1234457')->{'Drama 1'}{status}, 'withdrawn', 'the ledger has it');
    # The counsellor adds a withdrawal code and a note in the ledger.
    enter('withdraw', '1234457', 'drama', '--code', 'W2', '--note', 'Stundenplan: Überschneidung', '--by', 'Mr Brown');
    my $drama = $t->report('1234457')->{'Drama 1'};
    is($drama->{code}, 'W2', 'the code stands on the transcript');
    is($drama->{note}, 'Stundenplan: Überschneidung', '  and so does the note');
    is_deeply([map { "$_->{status}|" . ($_->{code} // '') . "|$_->{source}" } @{ $drama->{history} }],
        ["active||@{[substr $moodle, 7]}", "withdrawn||@{[substr $moodle, 7]}", 'withdrawn|W2|by hand (Mr Brown)'], 'the enrolment is not erased: it has a history');
    is($t->report('1234457', '--date', $before)->{'Drama 1'}{status}, 'active', '  and at that time it was active');
    $t->ok_says('moodle', 'Moodle tells of the withdrawal again', withdraw_enrolment => { sectionid => 'drama', userid => '1234457' });
    is($t->report('1234457')->{'Drama 1'}{code}, 'W2', '  which does not undo what the counsellor entered');
    # Or the counsellor unenrols them, who were failing.
    $t->ok_says('moodle', 'withdrawn failing', withdraw_enrolment => { sectionid => 'chemistry', userid => '1234457', status => 'withdrawn failing' });
    is($t->report('1234457')->{'Chemistry 1'}{status}, 'withdrawn failing', 'one can fail as well');
    enter('enrol', '1234457', 'biology', '--status', 'passed', '--by', 'Mr Brown');
    $t->ok_says('moodle', 'a synchronisation says they are enrolled', new_enrolment => { sectionid => 'biology', userid => '1234457', role => 'student' });
    is($t->report('1234457')->{'Biology 1'}{status}, 'passed', '  which is nothing new: they have passed');
    $t->ok_says('moodle', 'they come back to drama', new_enrolment => { sectionid => 'drama', userid => '1234457', role => 'student' });
    $drama = $t->report('1234457')->{'Drama 1'};
    is($drama->{status}, 'active', '  and are active again');
    is(scalar @{ $drama->{history} }, 4, '  with all that was before');
};

subtest '4. A teacher plans a chapter' => sub {
    my @planned = map { { sectionid => 'biology', name => "Chapter 4, exercise $_", idnumber => "bio-4-$_", chapternum => 4,
        honors_required => $_ == 3 ? $true : $false, nonhonors_required => $false, extra_credit => $false, pointval => 10 * $_ } } 1 .. 3;
    # Each assignment added in Moodle becomes a grade item of its section before any grade exists.
    $t->ok_says('moodle', $_->{name}, new_assessment => $_) for @planned;
    my $show = $t->ledger(qw(show biology))->{json};
    is_deeply([map { "$_->{name}: $_->{points}" } @{ $show->{assessments} }], [map { "Chapter 4, exercise $_: " . 10 * $_ } 1 .. 3], 'the grade items are there');
    is($show->{assessments}[0]{chapter}, 4, '  with their chapter');
    is_deeply([values %{ $t->grades('1234457', 'Biology 1') }], [undef, undef, undef], '  and nobody has a grade');
    # The ledger then accepts grades for every student enrolled in it.
    $t->ok_says('moodle', 'Bob is enrolled', new_enrolment => { sectionid => 'biology', userid => '2347234', role => 'student' });
    $t->ok_says('moodle', "a grade of $_", new_grade => { assessmentid => 'bio-4-2', userid => $_, points_earned => 17 }) for qw(1234457 2347234);
    $t->ok_says('moodle', 'somebody else', fetch_user => { username => 'eve', firstname => 'Eve', lastname => 'E', idnumber => '666' });
    $t->refuses('moodle', '  who is not enrolled there', 7204, 'userid', new_grade => { assessmentid => 'bio-4-2', userid => '666', points_earned => 17 });
};

subtest '5. A course with no Moodle side' => sub {
    # A counsellor makes a section and enrols a student by hand in the ledger.
    enter('add-section', 'Woodwork', '--term', '3', '--by', 'Mr Brown');
    enter('enrol', '1234457', 'Woodwork', '--by', 'Mr Brown');
    # The teacher imports a spreadsheet of gradeable assignments,
    my $file = $t->harness->root . '/woodwork.csv';
    Mnet::Harness::write_file($file, "Name;Points possible;Chapter\r\nBirdhouse;30;1\r\n\"Stool; oak\";50;2\r\n");
    enter('import', $file, '--section', 'Woodwork', '--by', 'Ms Teak');
    # and enters grades by hand.
    enter('grade', '1234457', 'Woodwork', 'Birdhouse', '27.5', '--by', 'Ms Teak');
    my $wood = $t->report('1234457')->{Woodwork};
    is_deeply({ map { $_->{name} => $_->{grade} && $_->{grade}{points} } @{ $wood->{assessments} } }, { Birdhouse => 27.5, 'Stool; oak' => undef },
        'it appears in reports like any other');
    is($wood->{assessments}[0]{grade}{source}, 'by hand (Ms Teak)', '  and says who entered it');
    is($wood->{term}, 'Autumn', '  in its term');
    ok((grep { $_->{assessment_name} eq 'Birdhouse' && $_->{points} == 27.5 } @{ $t->ledger(qw(export --what grades))->{json}{grades} }), '  and in exports');
};

subtest '6. Half and half' => sub {
    # Class work is graded in Moodle and laboratory work by hand in the ledger.
    $t->ok_says('moodle', 'class work', new_assessment => { sectionid => 'chemistry', name => 'Class test', idnumber => 'ch-1', pointval => 40 });
    $t->ok_says('moodle', 'Bob is enrolled', new_enrolment => { sectionid => 'chemistry', userid => '2347234', role => 'student' });
    $t->ok_says('moodle', '  and graded', new_grade => { assessmentid => 'ch-1', userid => '2347234', points_earned => 33 });
    enter('add-assessment', 'chemistry', $_, '--points', '10', '--by', 'Dr Flask') for 'Lab 1: titration', 'Lab 2: flames';
    enter('grade', '2347234', 'chemistry', 'Lab 1: titration', '9', '--by', 'Dr Flask');
    # Half-way through the year the teacher adds them to Moodle under exactly the same names.
    $t->ok_says('moodle', "the same name: $_", new_assessment => { sectionid => 'chemistry', name => $_, idnumber => "ch-lab-" . (/(\d)/)[0], pointval => 12 })
        for 'Lab 1: titration', 'Lab 2: flames';
    $t->ok_says('moodle', 'not exactly the same', new_assessment => { sectionid => 'chemistry', name => 'Lab 2: Flames', idnumber => 'ch-other', pointval => 12 });
    is(scalar @{ $t->ledger(qw(show chemistry))->{json}{assessments} }, 4, 'two of the laboratory became one each, the third is another');
    # From then on their grades travel;
    $t->ok_says('moodle', 'a grade travels', new_grade => { assessmentid => 'ch-lab-2', userid => '2347234', points_earned => 11 });
    $t->ok_says('moodle', 'one for what has a grade by hand', new_grade => { assessmentid => 'ch-lab-1', userid => '2347234', points_earned => 3 });
    # those entered by hand before are unaffected.
    my %items = map { $_->{name} => $_ } @{ $t->report('2347234')->{'Chemistry 1'}{assessments} };
    is($items{'Lab 2: flames'}{grade}{points}, 11, 'it counts');
    is($items{'Lab 1: titration'}{grade}{points}, 9, 'the one by hand is unaffected');
    is($items{'Lab 1: titration'}{grade}{of}, 10, '  of the points it was given for');
    is($items{'Lab 1: titration'}{grade}{source}, 'by hand (Dr Flask)', '  and still by hand');
    is_deeply([map { $_->{points} } @{ $items{'Lab 1: titration'}{others} }], [3], "  Moodle's is not lost");
    enter('grade', '2347234', 'chemistry', 'ch-lab-2', '12', '--by', 'Dr Flask');
    is($t->grades('2347234', 'Chemistry 1')->{'Lab 2: flames'}, 12, 'the teacher has the last word by hand');
    enter('grade', '2347234', 'chemistry', 'ch-lab-2', '--take-back', '--by', 'Dr Flask');
    is($t->grades('2347234', 'Chemistry 1')->{'Lab 2: flames'}, 11, '  and can take it back');
    my @told = grep { ($_->{assessment} // '') eq 'ch-lab-2' && $_->{kind} eq 'grade' } @{ $t->ledger(qw(export --what history))->{json}{history} };
    is_deeply([map { $_->{status} // '' } sort { $a->{entry} <=> $b->{entry} } @told], ['', '', 'taken back'], '  which the history keeps');
};

subtest '7. Joining a school that has used Moodle for years' => sub {
    my @students = map { { username => "s$_", idnumber => "70$_", firstname => "S$_", lastname => 'Student' } } 10 .. 39;
    my %school = (
        users => [{ username => 'teach', idnumber => '7001', firstname => 'T', lastname => 'Teacher' }, @students],
        sections => [map { { name => "Course $_", idnumber => "c$_", teacheridnumber => '7001', segment => $_ % 3 } } 1 .. 5],
        enrolments => [map { my $s = $_; map { { sectionid => "c$_", userid => $s->{idnumber}, role => 'student' } } 1 .. 5 } @students],
        assessments => [map { my $c = $_; map { { sectionid => "c$c", name => "Work $_", idnumber => "c$c-$_", pointval => 10 } } 1 .. 3 } 1 .. 5],
        grades => [map { my $s = $_; map { { assessmentid => "c$_-1", userid => $s->{idnumber}, points_earned => $_ + 3, attempt_num => 1 } } 1 .. 5 } @students]);
    # Sections not in Moodle are entered by hand beside it.
    enter('add-section', 'Rowing', '--idnumber', 'row', '--by', 'Mr Brown');
    # Everything in Moodle is transferred in one repeatable synchronisation.
    $t->moodle('second', everything => \%school, users => { map { my $s = $_; $s->{username} => [map { { sectionid => "c$_", role => 'student' } } 1 .. 5] } @students },
        courses => [{ remoteid => 12, fullname => 'Evening class', idnumber => 'eve', cat_name => 'Adults' }],
        enrolments => { 12 => { headmaster => { host => $t->site, role => 'editingteacher' }, local => { host => 'elsewhere', role => 'student' } } });
    my $second = $t->peer('second')->wwwroot;
    my $first = $t->ledger('sync', $second)->{json};
    is($first->{added}, 31 + 5 + 5 + 150 + 15 + 150 + 3, 'teachers, students, courses, enrolments and grades are transferred') or diag explain $first;
    is_deeply($t->grades('7010', 'Course 1'), { 'Work 1' => 4, 'Work 2' => undef, 'Work 3' => undef }, '  as they are there');
    is_deeply($t->report('7010')->{'Course 2'}{teachers}, ['T Teacher'], '  with the teacher');
    is($t->report('7010')->{'Course 3'}{term}, 'Ongoing', '  what fits no term is ongoing');
    is($t->report('headmaster')->{'Evening class'}{role}, 'teacher', '  and our own users in its courses');
    # A second run says what changed and duplicates nothing.
    my $counts = $t->counts;
    my $again = $t->ledger('sync', $second)->{json};
    is_deeply([@{$again}{qw(added changed)}], [0, 0], 'a second run: nothing changed') or diag explain $again;
    is_deeply($t->counts, $counts, '  and nothing is there twice');
    $school{grades}[0]{points_earned} = 9.5;
    push @{ $school{enrolments} }, { sectionid => 'c1', userid => '7001', role => 'student' };
    $t->moodle('second', everything => \%school, users => { s10 => [map { { sectionid => "c$_", role => 'student' } } 1 .. 4],
        map { my $s = $_; $s->{username} => [map { { sectionid => "c$_", role => 'student' } } 1 .. 5] } @students[1 .. $#students] });
    $school{enrolments} = [grep { !($_->{userid} eq '7010' && $_->{sectionid} eq 'c5') } @{ $school{enrolments} }];
    $t->moodle('second', %{ $t->peer('second')->state->{school} }, everything => \%school);
    my $third = $t->ledger('sync', $second)->{json};
    is($third->{added}, 1, 'later: what is new') or diag explain $third;
    is($third->{changed}, 2, '  what changed');
    is_deeply([sort map { /^(\w+ of \S+ in \S+)/ } @{ $third->{changes} }], ['enrolment of 7001 in c1', 'enrolment of 7010 in c5', 'grade of 7010 in c1-1'], '  is told');
    is($t->report('7010')->{'Course 5'}{status}, 'withdrawn', '  who was taken out there is withdrawn');
    is($t->counts->{grades}, $counts->{grades}, '  no grade is there twice');
};

done_testing;
